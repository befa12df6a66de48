// h_t = a_t h_{t-1} + b_t over [batch, time, dim], and its backward: a scan of the same kind from the end (README.md). How it is spread over a
// card is scan.cuh's.
#include "scan.cuh"

using namespace zoo;

/// Forward: the state is carried, steps go from the first to the last.
struct ForwardSteps {
    using Change = Affine;
    using Inputs = Affine;
    static constexpr int Steps = 8;

    const float* a;
    const float* b;
    float* h;
    int stride;

    __device__ i64 at(int step) const { return static_cast<i64>(step) * stride; }

    __device__ Inputs load(int step) const { return {__ldg(a + at(step)), __ldg(b + at(step))}; }

    __device__ Change change(const Inputs& of) const { return of; }

    __device__ void store(int step, const Inputs&, float, float after) const { h[at(step)] = after; }
};

/// Backward: a_{t+1} times the gradient of h_{t+1} is carried, steps go from the last to the first.
struct BackwardSteps {
    using Change = Affine;
    static constexpr int Steps = 8;

    /// The decay, the gradient that was given, and the state before.
    struct Inputs {
        float decay, given, earlier;
    };

    const float* a;
    const float* h;            // null where only the ends are asked for
    const float* initial;      // null: zero
    const float* grad_h;       // null: zero
    float* grad_a;             // null: not wanted
    float* grad_b;
    int stride, length;

    __device__ i64 at(int step) const { return static_cast<i64>(length - 1 - step) * stride; }

    __device__ Inputs load(int step) const {
        const float decay = __ldg(a + at(step)), given = grad_h ? __ldg(grad_h + at(step)) : 0;
        // One load whichever it is: two in two branches would be waited for.
        const float* const earlier = !grad_a ? nullptr : step < length - 1 ? h + at(step) - stride : initial;
        return {decay, given, earlier ? __ldg(earlier) : 0};
    }

    __device__ Change change(const Inputs& of) const { return {of.decay, of.decay * of.given}; }

    /// The gradient of h_t is what was given for it and what was carried to it.
    __device__ void store(int step, const Inputs& of, float before, float) const {
        const float g = of.given + before;
        if (grad_a)
            grad_a[at(step)] = g * of.earlier;
        if (grad_b)
            grad_b[at(step)] = g;
    }
};

extern "C" __global__ void linear_scan_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    scan_carry(ends, initial, starts, batch, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS linear_scan_forward_ends(
    const float* a, const float* b, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    scan_ends(ForwardSteps{a + start, b + start, nullptr, dims}, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS linear_scan_forward(
    const float* a, const float* b, const float* starts, float* h, float* last_state, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    scan_chunk(ForwardSteps{a + start, b + start, h + start, dims}, place, starts, last_state, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS linear_scan_backward_ends(
    const float* a, const float* grad_h, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {a + start, nullptr, nullptr, grad_h ? grad_h + start : nullptr, nullptr, nullptr, dims, length};
    scan_ends(steps, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS linear_scan_backward(
    const float* a, const float* initial, const float* h, const float* grad_h, const float* starts,
    float* grad_a, float* grad_b, float* grad_initial, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {
        a + start, h + start, initial ? initial + place.of_sequence(dims) : nullptr, grad_h ? grad_h + start : nullptr,
        grad_a ? grad_a + start : nullptr, grad_b ? grad_b + start : nullptr, dims, length};
    scan_chunk(steps, place, starts, grad_initial, dims, chunks);
}
