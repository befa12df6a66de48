// h_t = f_t h_{t-1} + (1 - f_t) silu(i_t), f = b + (1 - b) σ(forget), and its backward (README.md). How a scan is spread over a card is scan.cuh's;
// gates are reckoned where they are needed.
#include "scan.cuh"

using namespace zoo;

/// e^x for x held below 87, so that 1 + e^x does not overflow. NaN stays.
__device__ inline float exp_bounded(float x) { return expf(x >= 87.0f ? 87.0f : x); }

struct Gates {
    float open, closed;        // σ(forget) and 1 less it, each to its own last digits
    float range, keep, let;    // 1 - b, f, 1 - f
    float sigmoid, candidate;  // σ(i), silu(i)

    __device__ Gates(float input, float forget, float bound) {
        const float e = exp_bounded(-forget);
        open = fast_reciprocal(1 + e);
        closed = e * open;
        range = 1 - bound;
        keep = fmaf(range, open, bound);
        let = range * closed;
        sigmoid = fast_reciprocal(1 + exp_bounded(-input));
        candidate = input * sigmoid;
    }
};

/// Forward: the state is carried, steps go from the first to the last.
struct ForwardSteps {
    using Change = Affine;
    static constexpr int Steps = 8;

    struct Inputs {
        float input, forget;
    };

    const float* input;
    const float* forget;
    float bound;
    float* states;
    i64 stride;

    __device__ Inputs load(int step) const { return {__ldg(input + step * stride), __ldg(forget + step * stride)}; }

    __device__ Change change(const Inputs& of) const {
        const Gates gates(of.input, of.forget, bound);
        return {gates.keep, gates.let * gates.candidate};
    }

    __device__ void store(int step, const Inputs&, float, float after) const { states[step * stride] = after; }
};

/// Backward: the decay of step t + 1 times the gradient of its state is carried, steps go from the last to the first.
struct BackwardSteps {
    using Change = Affine;
    static constexpr int Steps = 4;

    struct Inputs {
        float input, forget, given, before;
    };

    const float* input;        // null where only the ends are asked for, and so the states
    const float* forget;
    float bound;
    const float* states;
    const float* initial;      // null: zero
    const float* grad_states;  // null: zero
    float* grad_input;         // null: not wanted
    float* grad_forget;
    i64 stride;
    int length;
    mutable float grad_bound = 0;

    __device__ i64 at(int step) const { return (length - 1 - step) * stride; }

    __device__ Inputs load(int step) const {
        const i64 i = at(step);
        const float* const earlier = step < length - 1 ? states ? states + i - stride : nullptr : initial;
        return {input ? __ldg(input + i) : 0, __ldg(forget + i), grad_states ? __ldg(grad_states + i) : 0, earlier ? __ldg(earlier) : 0};
    }

    __device__ Change change(const Inputs& of) const {
        const float keep = Gates(0, of.forget, bound).keep;
        return {keep, keep * of.given};
    }

    /// ∂f = g (h_{t-1} - silu); to b times 1 - σ, to the gate times (1 - b) σ (1 - σ); to i: g (1 - f) silu'.
    __device__ void store(int step, const Inputs& of, float carried, float) const {
        const i64 i = at(step);
        const Gates gates(of.input, of.forget, bound);
        const float g = of.given + carried, to_bound = g * (of.before - gates.candidate) * gates.closed;
        grad_bound += to_bound;
        if (grad_input)
            grad_input[i] = g * gates.let * fmaf(gates.candidate, 1 - gates.sigmoid, gates.sigmoid);
        if (grad_forget)
            grad_forget[i] = to_bound * gates.range * gates.open;
    }
};

template <class T> __device__ T* from(T* array, i64 offset) { return array ? array + offset : nullptr; }

__device__ float bound_of(const float* bounds, const ScanPlace& place) { return bounds && place.inside ? bounds[place.dim] : 0; }

extern "C" __global__ void mlgru_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    scan_carry(ends, initial, starts, batch, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS mlgru_forward_ends(
    const float* input, const float* forget, const float* bounds, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    scan_ends(ForwardSteps{input + start, forget + start, bound_of(bounds, place), nullptr, dims}, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS mlgru_forward(
    const float* input, const float* forget, const float* bounds, const float* starts, float* states, float* last, int length, int dims, int chunks,
    int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    scan_chunk(ForwardSteps{input + start, forget + start, bound_of(bounds, place), states + start, dims}, place, starts, last, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS mlgru_backward_ends(
    const float* forget, const float* bounds, const float* grad_states, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {
        nullptr, forget + start, bound_of(bounds, place), nullptr, nullptr, from(grad_states, start), nullptr, nullptr, dims, length};
    scan_ends(steps, place, chunk_ends, dims, chunks);
}

/// Each warp has its own part of the bounds' gradient, [batch · chunks · warps, dims].
extern "C" __global__ void ZOO_SCAN_BOUNDS mlgru_backward(
    const float* input, const float* forget, const float* bounds, const float* states, const float* initial, const float* grad_states,
    const float* starts, float* grad_input, float* grad_forget, float* grad_initial, float* bound_parts, int length, int dims, int chunks,
    int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {
        input + start, forget + start, bound_of(bounds, place), states + start, initial ? initial + place.of_sequence(dims) : nullptr,
        from(grad_states, start), from(grad_input, start), from(grad_forget, start), dims, length};
    scan_chunk(steps, place, starts, grad_initial, dims, chunks);
    if (bound_parts && place.inside)
        bound_parts[place.of_warp() * dims + place.dim] = steps.grad_bound;
}

/// The parts of all warps, added in order.
extern "C" __global__ void mlgru_add_bounds(const float* parts, float* target, int count, int dims) { add_rows(parts, target, count, dims); }
