// s_t = a_t s_{t-1} + b_t where a and b come from gates that see step t alone, and its backward: minGRU, minLSTM, QRNN pooling (README.md).
// How a scan is spread over a card is scan.cuh's; gates are reckoned where they are needed, from inputs that come from memory once.
#include "scan.cuh"

using namespace zoo;

/// e^x for x held below 87, so that 1 + e^x does not overflow. NaN stays.
__device__ inline float exp_bounded(float x) { return expf(x >= 87.0f ? 87.0f : x); }

/// σ(x) and σ(-x), each to its own last digits.
struct Gate {
    float open, closed;

    __device__ explicit Gate(float x) {
        const float e = exp_bounded(-x);
        open = fast_reciprocal(1 + e);
        closed = e * open;
    }
};

/// Nonlinearities of the candidate: value and slope.
struct Positive {
    __device__ static float value(float x) { return x < 0 ? Gate(x).open : x + 0.5f; }
    __device__ static float slope(float x) {
        const Gate gate(x);
        return x < 0 ? gate.open * gate.closed : 1;
    }
};

struct Identity {
    __device__ static float value(float x) { return x; }
    __device__ static float slope(float) { return 1; }
};

struct Tanh {
    __device__ static float value(float x) { return tanhf(x); }
    __device__ static float slope(float x) {
        const float t = tanhf(x);
        return 1 - t * t;
    }
};

struct Gradients {
    float x, first, second;
};

/// s = (1 - z) s + z φ(x), z = σ(first).
template <class Activation, bool OutputGate = false> struct OneGate {
    static constexpr bool HasSecond = false, MayHaveOutputGate = OutputGate;

    __device__ static Affine change(float x, float first, float) {
        const Gate z(first);
        return {z.closed, z.open * Activation::value(x)};
    }
    __device__ static float decay(float first, float) { return Gate(first).closed; }
    __device__ static Gradients back(float x, float first, float, float before, float g) {
        const Gate z(first);
        const float gz = g * z.open;
        return {gz * Activation::slope(x), gz * z.closed * (Activation::value(x) - before), 0};
    }
};

/// s = f x + (1 - f) s, both as they are.
struct Mix {
    static constexpr bool HasSecond = false, MayHaveOutputGate = false;

    __device__ static Affine change(float x, float first, float) { return {1 - first, first * x}; }
    __device__ static float decay(float first, float) { return 1 - first; }
    __device__ static Gradients back(float x, float first, float, float before, float g) { return {g * first, g * (x - before), 0}; }
};

/// s = f / (f + i) s + i / (f + i) φ(x). Gates that are both below -40 are moved up together: their quotient stays, and no power underflows.
template <class Activation> struct TwoGates {
    static constexpr bool HasSecond = true, MayHaveOutputGate = false;

    struct Shares {
        float ef, ei, forget, input;

        __device__ Shares(float first, float second) {
            const float up = fmaxf(0, -40 - fmaxf(first, second));
            ef = exp_bounded(-(first + up));
            ei = exp_bounded(-(second + up));
            const float whole = fast_reciprocal((1 + ef) + (1 + ei));
            forget = (1 + ei) * whole;
            input = (1 + ef) * whole;
        }
    };

    __device__ static Affine change(float x, float first, float second) {
        const Shares shares(first, second);
        return {shares.forget, shares.input * Activation::value(x)};
    }
    __device__ static float decay(float first, float second) { return Shares(first, second).forget; }
    __device__ static Gradients back(float x, float first, float second, float before, float g) {
        const Shares shares(first, second);
        const float gi = g * shares.input, common = gi * shares.forget * (before - Activation::value(x));
        return {gi * Activation::slope(x), common * (shares.ef * fast_reciprocal(1 + shares.ef)), -common * (shares.ei * fast_reciprocal(1 + shares.ei))};
    }
};

__device__ inline float at_or_zero(const float* array, i64 at) { return array ? __ldg(array + at) : 0; }

/// Forward: the state is carried, steps go from the first to the last.
template <class Cell> struct ForwardSteps {
    using Change = Affine;
    static constexpr int Steps = 8;

    struct Inputs {
        float x, first, second, gate;
    };

    const float* x;
    const float* first;
    const float* second;       // null without a second gate
    const float* gate;         // null without an output gate, or where only the ends are asked for
    float* states;             // null: not kept
    float* outputs;            // null without an output gate
    i64 stride;

    __device__ i64 at(int step) const { return step * stride; }

    __device__ Inputs load(int step) const {
        const i64 i = at(step);
        return {__ldg(x + i), __ldg(first + i), Cell::HasSecond ? __ldg(second + i) : 0, Cell::MayHaveOutputGate ? at_or_zero(gate, i) : 0};
    }

    __device__ Change change(const Inputs& of) const { return Cell::change(of.x, of.first, of.second); }

    __device__ void store(int step, const Inputs& of, float, float after) const {
        if (Cell::MayHaveOutputGate && gate)
            outputs[at(step)] = Gate(of.gate).open * after;
        if (states)
            states[at(step)] = after;
    }
};

/// Backward: the decay of step t + 1 times the gradient of its state is carried, steps go from the last to the first.
template <class Cell> struct BackwardSteps {
    using Change = Affine;
    static constexpr int Steps = 4;

    struct Inputs {
        float x, first, second, gate, given, before, state;
    };

    const float* x;            // null where only the ends are asked for, and so the states
    const float* first;
    const float* second;
    const float* gate;
    const float* states;
    const float* initial;      // null: zero
    const float* grad_output;  // null: zero
    float* grad_x;             // null: not wanted, and so below
    float* grad_first;
    float* grad_second;
    float* grad_gate;
    i64 stride;
    int length;

    __device__ i64 at(int step) const { return (length - 1 - step) * stride; }

    __device__ Inputs load(int step) const {
        const i64 i = at(step);
        const bool gated = Cell::MayHaveOutputGate && gate;
        // One load whichever it is: two in two branches would be waited for.
        const float* const before = step == length - 1 ? initial : states ? states + i - stride : nullptr;
        return {
            at_or_zero(x, i), __ldg(first + i), Cell::HasSecond ? __ldg(second + i) : 0, gated ? __ldg(gate + i) : 0, at_or_zero(grad_output, i),
            at_or_zero(before, 0), gated ? at_or_zero(states, i) : 0};
    }

    /// The gradient that was given for the state itself.
    __device__ float given(const Inputs& of) const { return Cell::MayHaveOutputGate && gate ? of.given * Gate(of.gate).open : of.given; }

    __device__ Change change(const Inputs& of) const {
        const float decay = Cell::decay(of.first, of.second);
        return {decay, decay * given(of)};
    }

    __device__ void store(int step, const Inputs& of, float carried, float) const {
        const i64 i = at(step);
        const Gradients found = Cell::back(of.x, of.first, of.second, of.before, given(of) + carried);
        if (grad_x)
            grad_x[i] = found.x;
        if (grad_first)
            grad_first[i] = found.first;
        if (Cell::HasSecond && grad_second)
            grad_second[i] = found.second;
        if (Cell::MayHaveOutputGate && gate && grad_gate)
            grad_gate[i] = given(of) * Gate(of.gate).closed * of.state;   // what was given has σ(gate) in it
    }
};

template <class T> __device__ T* from(T* array, i64 offset) { return array ? array + offset : nullptr; }

extern "C" __global__ void gated_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    scan_carry(ends, initial, starts, batch, dims, chunks);
}

// Four kernels a cell. NAME is the op's.
#define GATED_KERNELS(NAME, ...)                                                                                                             \
    extern "C" __global__ void ZOO_SCAN_BOUNDS NAME##_forward_ends(                                                                          \
        const float* x, const float* first, const float* second, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {   \
        const ScanPlace place(length, dims, chunks, chunk_length);                                                                           \
        const i64 start = place.start(length, dims);                                                                                         \
        const ForwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), nullptr, nullptr, nullptr, dims};            \
        scan_ends(steps, place, chunk_ends, dims, chunks);                                                                                   \
    }                                                                                                                                        \
    extern "C" __global__ void ZOO_SCAN_BOUNDS NAME##_forward(                                                                               \
        const float* x, const float* first, const float* second, const float* gate, const float* starts, float* states, float* outputs,      \
        float* last, int length, int dims, int chunks, int chunk_length) {                                                                   \
        const ScanPlace place(length, dims, chunks, chunk_length);                                                                           \
        const i64 start = place.start(length, dims);                                                                                         \
        const ForwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), from(gate, start), from(states, start),      \
                                                 from(outputs, start), dims};                                                                \
        scan_chunk(steps, place, starts, last, dims, chunks);                                                                                \
    }                                                                                                                                        \
    extern "C" __global__ void ZOO_SCAN_BOUNDS NAME##_backward_ends(                                                                         \
        const float* first, const float* second, const float* gate, const float* grad_output, Affine* chunk_ends, int length, int dims,      \
        int chunks, int chunk_length) {                                                                                                      \
        const ScanPlace place(length, dims, chunks, chunk_length);                                                                           \
        const i64 start = place.start(length, dims);                                                                                         \
        const BackwardSteps<__VA_ARGS__> steps = {nullptr, first + start, from(second, start), from(gate, start), nullptr, nullptr,          \
                                                  from(grad_output, start), nullptr, nullptr, nullptr, nullptr, dims, length};               \
        scan_ends(steps, place, chunk_ends, dims, chunks);                                                                                   \
    }                                                                                                                                        \
    extern "C" __global__ void ZOO_SCAN_BOUNDS NAME##_backward(                                                                              \
        const float* x, const float* first, const float* second, const float* gate, const float* states, const float* initial,               \
        const float* grad_output, const float* starts, float* grad_x, float* grad_first, float* grad_second, float* grad_gate,               \
        float* grad_initial, int length, int dims, int chunks, int chunk_length) {                                                           \
        const ScanPlace place(length, dims, chunks, chunk_length);                                                                           \
        const i64 start = place.start(length, dims);                                                                                         \
        const BackwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), from(gate, start), states + start,          \
                                                  initial ? initial + place.of_sequence(dims) : nullptr, from(grad_output, start),           \
                                                  from(grad_x, start), from(grad_first, start), from(grad_second, start),                    \
                                                  from(grad_gate, start), dims, length};                                                     \
        scan_chunk(steps, place, starts, grad_initial, dims, chunks);                                                                        \
    }

GATED_KERNELS(mingru, OneGate<Positive>)
GATED_KERNELS(mingru_plain, OneGate<Identity>)
GATED_KERNELS(minlstm, TwoGates<Positive>)
GATED_KERNELS(minlstm_plain, TwoGates<Identity>)
GATED_KERNELS(forget_mult, Mix)
GATED_KERNELS(qrnn_pool, OneGate<Tanh, true>)
