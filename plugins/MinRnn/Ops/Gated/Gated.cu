// s_t = a_t s_{t-1} + b_t where a and b come from gates that see step t alone, and its backward: minGRU, minLSTM, QRNN pooling (README.md).
//
// As in the linear scan, a warp has 32 neighbouring dimensions and 8 steps of time at once in registers; the warps of a block follow each other in
// time. Each warp reduces its steps to one affine step, all warps put them into shared memory, and each folds those before its own, in order: the
// same bits every time. Where there are fewer blocks than the card has room for, time is cut into chunks too: `ends` reduces each chunk, `carry`
// folds them, and the scan starts from what it finds. Gates are reckoned where they are needed, from inputs that come from memory once and then
// from the cache.
#include "zoo.cuh"

using namespace zoo;

constexpr int Steps = 8;
constexpr int MostWarps = 16;

/// e^x for x held between -87 and 87, so that neither it nor 1 + it overflows.
__device__ inline float exp_bounded(float x) { return expf(fminf(fmaxf(x, -87.0f), 87.0f)); }

/// σ(x) and σ(-x), each to its own last digits.
struct Gate {
    float open, closed;

    __device__ explicit Gate(float x) {
        const float e = exp_bounded(-x);
        open = 1 / (1 + e);
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
template <class Activation> struct OneGate {
    static constexpr bool HasSecond = false;

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
    static constexpr bool HasSecond = false;

    __device__ static Affine change(float x, float first, float) { return {1 - first, first * x}; }
    __device__ static float decay(float first, float) { return 1 - first; }
    __device__ static Gradients back(float x, float first, float, float before, float g) { return {g * first, g * (x - before), 0}; }
};

/// s = f / (f + i) s + i / (f + i) φ(x). Gates that are both below -40 are moved up together: their quotient stays, and no power underflows.
template <class Activation> struct TwoGates {
    static constexpr bool HasSecond = true;

    struct Shares {
        float ef, ei, forget, input;

        __device__ Shares(float first, float second) {
            const float up = fmaxf(0, -40 - fmaxf(first, second));
            ef = exp_bounded(-(first + up));
            ei = exp_bounded(-(second + up));
            const float whole = 1 / ((1 + ef) + (1 + ei));
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
        return {gi * Activation::slope(x), common * (shares.ef / (1 + shares.ef)), -common * (shares.ei / (1 + shares.ei))};
    }
};

/// One step of one dimension: what it does to the carried number, and what the backward was given for it.
struct Step {
    Affine change;
    float given;
};

/// Forward: the state is carried, steps go from the first to the last.
template <class Cell> struct ForwardSteps {
    const float* x;
    const float* first;
    const float* second;       // null without a second gate
    const float* gate;         // null without an output gate
    float* states;             // null: not kept
    float* outputs;            // null without an output gate
    i64 stride;
    int length;

    __device__ i64 at(int step) const { return step * stride; }

    __device__ Step load(int step) const { return {Cell::change(x[at(step)], first[at(step)], Cell::HasSecond ? second[at(step)] : 0), 0}; }

    __device__ void store(int step, float, float, float after) const {
        if (gate)
            outputs[at(step)] = Gate(gate[at(step)]).open * after;
        if (states)
            states[at(step)] = after;
    }
};

/// Backward: the decay of step t + 1 times the gradient of its state is carried, steps go from the last to the first.
template <class Cell> struct BackwardSteps {
    const float* x;
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

    __device__ Step load(int step) const {
        const i64 i = at(step);
        float given = grad_output ? grad_output[i] : 0;
        if (gate)
            given *= Gate(gate[i]).open;
        const float decay = Cell::decay(first[i], Cell::HasSecond ? second[i] : 0);
        return {{decay, decay * given}, given};
    }

    __device__ void store(int step, float given, float carried, float) const {
        const i64 i = at(step);
        const float before = step < length - 1 ? states[i - stride] : initial ? *initial : 0;
        const Gradients found = Cell::back(x[i], first[i], Cell::HasSecond ? second[i] : 0, before, given + carried);
        if (grad_x)
            grad_x[i] = found.x;
        if (grad_first)
            grad_first[i] = found.first;
        if (Cell::HasSecond && grad_second)
            grad_second[i] = found.second;
        if (gate && grad_gate)
            grad_gate[i] = given * Gate(gate[i]).closed * states[i];   // what was given has σ(gate) in it
    }
};

/// Scans the steps from `first` to `end` from `carried` on, or only reduces them. Returns the carried number, or the step they amount to.
template <bool Store, class Sequence> __device__ Affine scan(const Sequence& sequence, int first, int end, bool inside, float carried) {
    __shared__ Affine parts[2][MostWarps][WarpSize];
    const int lane = threadIdx.x, warp = threadIdx.y, warps = blockDim.y;
    Affine all = {1, carried};
    for (int tile = first, turn = 0; tile < end; tile += warps * Steps, turn ^= 1) {
        const int mine = tile + warp * Steps;
        Step steps[Steps];
        Affine together = {1, 0};
#pragma unroll
        for (int s = 0; s < Steps; s++)
            steps[s] = inside && mine + s < end ? sequence.load(mine + s) : Step{{1, 0}, 0};
#pragma unroll
        for (int s = 0; s < Steps; s++)
            together = together.then(steps[s].change);
        parts[turn][warp][lane] = together;
        __syncthreads();   // one a tile: the next tile writes the other half
        float state = all.b;
        for (int w = 0; w < warps; w++) {
            if (w == warp)
                state = all.b;
            all = all.then(parts[turn][w][lane]);
        }
        if (Store && inside) {
#pragma unroll
            for (int s = 0; s < Steps; s++) {
                const float before = state;
                state = steps[s].change.apply(before);
                if (mine + s < end)
                    sequence.store(mine + s, steps[s].given, before, state);
            }
        }
    }
    return all;
}

/// This block's place: 32 dimensions of one chunk of one sequence.
struct Place {
    int batch, chunk, dim, first, end;
    bool inside;

    __device__ Place(int length, int dims, int chunks, int chunk_length) {
        batch = blockIdx.y / chunks;
        chunk = blockIdx.y % chunks;
        dim = blockIdx.x * WarpSize + threadIdx.x;
        inside = dim < dims;
        first = chunk * chunk_length;
        end = min(length, first + chunk_length);
    }

    __device__ i64 start(int length, int dims) const { return static_cast<i64>(batch) * length * dims + dim; }
    __device__ i64 of_chunk(int dims, int chunks) const { return (static_cast<i64>(batch) * chunks + chunk) * dims + dim; }
    __device__ i64 of_sequence(int dims) const { return static_cast<i64>(batch) * dims + dim; }
};

template <class T> __device__ T* from(T* array, i64 offset) { return array ? array + offset : nullptr; }

template <class Sequence> __device__ void ends(const Sequence& sequence, const Place& place, Affine* ends, int dims, int chunks) {
    const Affine all = scan<false>(sequence, place.first, place.end, place.inside, 0);
    if (place.inside && threadIdx.y == 0)
        ends[place.of_chunk(dims, chunks)] = all;
}

/// `start` is null (zero), one number a sequence, or where there are chunks one a chunk. The last chunk's end goes to `last`.
template <class Sequence> __device__ void scan_chunk(const Sequence& sequence, const Place& place, const float* start, float* last, int dims, int chunks) {
    const float carried = start && place.inside ? start[place.of_chunk(dims, chunks)] : 0;
    const Affine all = scan<true>(sequence, place.first, place.end, place.inside, carried);
    if (last && place.inside && place.chunk == chunks - 1 && threadIdx.y == 0)
        last[place.of_sequence(dims)] = all.b;
}

/// Every chunk's start, from what the chunks amount to. One thread a dimension of a sequence.
extern "C" __global__ void gated_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batch) * dims)
        return;
    float h = initial ? initial[i] : 0;
    const i64 b = i / dims, d = i % dims;
    for (int c = 0; c < chunks; c++) {
        const i64 at = (b * chunks + c) * dims + d;
        starts[at] = h;
        h = ends[at].apply(h);
    }
}

// Four kernels a cell. NAME is the op's.
#define GATED_KERNELS(NAME, ...)                                                                                                              \
    extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps) NAME##_forward_ends(                                                   \
        const float* x, const float* first, const float* second, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {    \
        const Place place(length, dims, chunks, chunk_length);                                                                                \
        const i64 start = place.start(length, dims);                                                                                          \
        const ForwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), nullptr, nullptr, nullptr, dims, length};     \
        ends(steps, place, chunk_ends, dims, chunks);                                                                                         \
    }                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps) NAME##_forward(                                                        \
        const float* x, const float* first, const float* second, const float* gate, const float* starts, float* states, float* outputs,       \
        float* last, int length, int dims, int chunks, int chunk_length) {                                                                    \
        const Place place(length, dims, chunks, chunk_length);                                                                                \
        const i64 start = place.start(length, dims);                                                                                          \
        const ForwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), from(gate, start), from(states, start),       \
                                                 from(outputs, start), dims, length};                                                         \
        scan_chunk(steps, place, starts, last, dims, chunks);                                                                                 \
    }                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps) NAME##_backward_ends(                                                  \
        const float* first, const float* second, const float* gate, const float* grad_output, Affine* chunk_ends, int length, int dims,       \
        int chunks, int chunk_length) {                                                                                                       \
        const Place place(length, dims, chunks, chunk_length);                                                                                \
        const i64 start = place.start(length, dims);                                                                                          \
        const BackwardSteps<__VA_ARGS__> steps = {nullptr, first + start, from(second, start), from(gate, start), nullptr, nullptr,           \
                                                  from(grad_output, start), nullptr, nullptr, nullptr, nullptr, dims, length};                \
        ends(steps, place, chunk_ends, dims, chunks);                                                                                         \
    }                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps) NAME##_backward(                                                       \
        const float* x, const float* first, const float* second, const float* gate, const float* states, const float* initial,                \
        const float* grad_output, const float* starts, float* grad_x, float* grad_first, float* grad_second, float* grad_gate,                \
        float* grad_initial, int length, int dims, int chunks, int chunk_length) {                                                            \
        const Place place(length, dims, chunks, chunk_length);                                                                                \
        const i64 start = place.start(length, dims);                                                                                          \
        const BackwardSteps<__VA_ARGS__> steps = {x + start, first + start, from(second, start), from(gate, start), states + start,           \
                                                  initial ? initial + place.of_sequence(dims) : nullptr, from(grad_output, start),            \
                                                  from(grad_x, start), from(grad_first, start), from(grad_second, start),                     \
                                                  from(grad_gate, start), dims, length};                                                      \
        scan_chunk(steps, place, starts, grad_initial, dims, chunks);                                                                         \
    }

GATED_KERNELS(mingru, OneGate<Positive>)
GATED_KERNELS(mingru_plain, OneGate<Identity>)
GATED_KERNELS(minlstm, TwoGates<Positive>)
GATED_KERNELS(minlstm_plain, TwoGates<Identity>)
GATED_KERNELS(forget_mult, Mix)
GATED_KERNELS(qrnn_pool, OneGate<Tanh>)
