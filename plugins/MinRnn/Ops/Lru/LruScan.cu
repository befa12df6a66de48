// h_t = λ h_{t-1} + x_t, complex, one λ a dimension, and its backward (README.md). Real parts of a step come first, then the imaginary ones.
// How a scan is spread over a card is scan.cuh's.
#include "scan.cuh"

using namespace zoo;

__device__ inline Complex load_complex(const float* parts, i64 at, int dims) { return {__ldg(parts + at), __ldg(parts + at + dims)}; }

__device__ inline void store_complex(float* parts, i64 at, int dims, Complex value) {
    parts[at] = value.re;
    parts[at + dims] = value.im;
}

/// Forward: the state is carried, steps go from the first to the last.
struct ForwardSteps {
    using Change = ComplexAffine;
    using Inputs = Complex;
    static constexpr int Steps = 4;

    Complex lambda;
    const float* x;
    float* h;
    int dims;

    __device__ i64 at(int step) const { return 2 * static_cast<i64>(step) * dims; }

    __device__ Inputs load(int step) const { return load_complex(x, at(step), dims); }

    __device__ Change change(const Inputs& of) const { return {lambda, of}; }

    __device__ void store(int step, const Inputs&, Complex, Complex after) const { store_complex(h, at(step), dims, after); }
};

/// Backward: λ* times the gradient of h_{t+1} is carried, steps go from the last to the first.
struct BackwardSteps {
    using Change = ComplexAffine;
    static constexpr int Steps = 4;

    struct Inputs {
        Complex given, earlier;
    };

    Complex back;              // λ*
    const float* h;            // null where the gradient of λ is not wanted
    const float* initial;      // null: zero
    const float* grad_h;       // null: zero
    float* grad_x;             // null: not wanted
    int length, dims;
    mutable Complex grad_lambda = {0, 0};

    __device__ i64 at(int step) const { return 2 * static_cast<i64>(length - 1 - step) * dims; }

    __device__ Inputs load(int step) const {
        Inputs inputs = {{0, 0}, {0, 0}};
        if (grad_h)
            inputs.given = load_complex(grad_h, at(step), dims);
        const float* const earlier = !h ? nullptr : step < length - 1 ? h + at(step) - 2 * dims : initial;
        if (earlier)
            inputs.earlier = load_complex(earlier, 0, dims);
        return inputs;
    }

    __device__ Change change(const Inputs& of) const { return {back, back * of.given}; }

    __device__ void store(int step, const Inputs& of, Complex carried, Complex) const {
        const Complex g = of.given + carried;
        if (grad_x)
            store_complex(grad_x, at(step), dims, g);
        grad_lambda = grad_lambda + g * of.earlier.conjugate();
    }
};

/// Where a sequence's first step is in [batch, time, 2, dim].
__device__ inline i64 start_of(const ScanPlace& place, int length, int dims) { return 2 * static_cast<i64>(place.batch) * length * dims + place.dim; }

extern "C" __global__ void lru_scan_carry(const ComplexAffine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    scan_carry(ends, initial, starts, batch, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_forward_ends(
    const float* x, const float* lambda, ComplexAffine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    scan_ends(ForwardSteps{load_complex(lambda, place.dim, dims), x + start_of(place, length, dims), nullptr, dims}, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_forward(
    const float* x, const float* lambda, const float* starts, float* h, float* last, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = start_of(place, length, dims);
    scan_chunk(ForwardSteps{load_complex(lambda, place.dim, dims), x + start, h + start, dims}, place, starts, last, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_backward_ends(
    const float* lambda, const float* grad_h, ComplexAffine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const Complex back = load_complex(lambda, place.dim, dims).conjugate();
    const BackwardSteps steps = {back, nullptr, nullptr, grad_h ? grad_h + start_of(place, length, dims) : nullptr, nullptr, length, dims};
    scan_ends(steps, place, chunk_ends, dims, chunks);
}

/// `parts` gets each warp's share of the gradient of λ, [batch · chunks · warps, 2, dim]; null where it is not wanted.
extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_backward(
    const float* lambda, const float* initial, const float* h, const float* grad_h, const float* starts, float* grad_x, float* grad_initial,
    float* parts, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = start_of(place, length, dims);
    const BackwardSteps steps = {
        load_complex(lambda, place.dim, dims).conjugate(), parts ? h + start : nullptr,
        initial ? initial + 2 * static_cast<i64>(place.batch) * dims + place.dim : nullptr, grad_h ? grad_h + start : nullptr,
        grad_x ? grad_x + start : nullptr, length, dims};
    scan_chunk(steps, place, starts, grad_initial, dims, chunks);
    if (parts && place.inside)
        store_carried(parts, place.of_warp(), dims, place.dim, steps.grad_lambda);
}

/// The shares of all warps, added in order; `count` numbers of λ.
extern "C" __global__ void lru_scan_add_shares(const float* parts, float* grad_lambda, int shares, int count) {
    add_rows(parts, grad_lambda, shares, count);
}
