// h_t = λ h_{t-1} + x_t, complex, one λ a dimension, and its backward (README.md). Real parts of a step come first, then the imaginary ones.
// How a scan is spread over a card is scan.cuh's.
#include "scan.cuh"

using namespace zoo;

struct Complex {
    float re, im;

    __device__ Complex operator*(Complex x) const { return {re * x.re - im * x.im, re * x.im + im * x.re}; }
    __device__ Complex operator+(Complex x) const { return {re + x.re, im + x.im}; }
    __device__ Complex conjugate() const { return {re, -im}; }
};

/// h → (a + low) h + b, where `low` is what rounding took from a.
struct Turn {
    Complex a, low, b;

    using Number = Complex;

    static __device__ Turn neutral() { return {{1, 0}, {0, 0}, {0, 0}}; }
    static __device__ Turn to(Complex h) { return {{1, 0}, {0, 0}, h}; }

    /// A product of many λ may be infinite: no 0 · ∞.
    __device__ Complex apply(Complex h) const { return h.re == 0 && h.im == 0 ? b : a * h + (low * h + b); }
    __device__ Turn then(const Turn& next) const { return {a * next.a, a * next.low + low * next.a, next.apply(b)}; }
};

/// λ^Steps, a and low of a Turn. A carried state takes this factor once a warp, always with the same error: unlike the errors of single steps those
/// would add up, and to much where |λ| is nearly 1.
template <int Steps> struct Power {
    Complex a, low;

    __device__ explicit Power(Complex lambda) {
        double re = lambda.re, im = lambda.im;
#pragma unroll
        for (int done = 1; done < Steps; done *= 2) {
            const double square = re * re - im * im;
            im = 2 * re * im;
            re = square;
        }
        a = {static_cast<float>(re), static_cast<float>(im)};
        low = {static_cast<float>(re - a.re), static_cast<float>(im - a.im)};
    }
};

namespace zoo {

/// [row, 2, dim].
template <> __device__ __forceinline__ Complex carried_number<Complex>(const float* numbers, i64 row, int dims, int dim) {
    Complex number = {0, 0};
    if (numbers)
        number = {numbers[2 * row * dims + dim], numbers[(2 * row + 1) * dims + dim]};
    return number;
}

}

__device__ inline void store_carried(float* numbers, i64 row, int dims, int dim, Complex number) {
    numbers[2 * row * dims + dim] = number.re;
    numbers[(2 * row + 1) * dims + dim] = number.im;
}

__device__ inline Complex load_complex(const float* parts, i64 at, int dims) { return {__ldg(parts + at), __ldg(parts + at + dims)}; }

__device__ inline void store_complex(float* parts, i64 at, int dims, Complex value) {
    parts[at] = value.re;
    parts[at + dims] = value.im;
}

/// Forward: the state is carried, steps go from the first to the last.
struct ForwardSteps {
    using Change = Turn;
    using Inputs = Complex;
    static constexpr int Steps = 8;

    Complex lambda;
    Power<Steps> power;
    const float* x;
    float* h;
    int dims;

    __device__ i64 at(int step) const { return 2 * static_cast<i64>(step) * dims; }

    __device__ Inputs load(int step) const { return load_complex(x, at(step), dims); }

    __device__ Change change(const Inputs& of) const { return {lambda, {0, 0}, of}; }

    __device__ void store(int step, const Inputs&, Complex, Complex after) const { store_complex(h, at(step), dims, after); }
};

/// Backward: λ* times the gradient of h_{t+1} is carried, steps go from the last to the first.
struct BackwardSteps {
    using Change = Turn;
    static constexpr int Steps = 4;

    struct Inputs {
        Complex given, earlier;
    };

    Complex back;              // λ*
    Power<Steps> power;
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

    __device__ Change change(const Inputs& of) const { return {back, {0, 0}, back * of.given}; }

    __device__ void store(int step, const Inputs& of, Complex carried, Complex) const {
        const Complex g = of.given + carried;
        if (grad_x)
            store_complex(grad_x, at(step), dims, g);
        grad_lambda = grad_lambda + g * of.earlier.conjugate();
    }
};

__device__ inline Turn whole(const ForwardSteps& steps, const Turn& composed) { return {steps.power.a, steps.power.low, composed.b}; }
__device__ inline Turn whole(const BackwardSteps& steps, const Turn& composed) { return {steps.power.a, steps.power.low, composed.b}; }

/// Where a sequence's first step is in [batch, time, 2, dim].
__device__ inline i64 start_of(const ScanPlace& place, int length, int dims) { return 2 * static_cast<i64>(place.batch) * length * dims + place.dim; }

extern "C" __global__ void lru_scan_carry(const Turn* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    scan_carry(ends, initial, starts, batch, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_forward_ends(
    const float* x, const float* lambda, Turn* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const Complex turn = load_complex(lambda, place.dim, dims);
    const ForwardSteps steps = {turn, Power<ForwardSteps::Steps>(turn), x + start_of(place, length, dims), nullptr, dims};
    scan_ends(steps, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_forward(
    const float* x, const float* lambda, const float* starts, float* h, float* last, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = start_of(place, length, dims);
    const Complex turn = load_complex(lambda, place.dim, dims);
    const ForwardSteps steps = {turn, Power<ForwardSteps::Steps>(turn), x + start, h + start, dims};
    scan_chunk(steps, place, starts, last, dims, chunks);
}

extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_backward_ends(
    const float* lambda, const float* grad_h, Turn* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const Complex back = load_complex(lambda, place.dim, dims).conjugate();
    const BackwardSteps steps = {
        back, Power<BackwardSteps::Steps>(back), nullptr, nullptr, grad_h ? grad_h + start_of(place, length, dims) : nullptr, nullptr, length, dims};
    scan_ends(steps, place, chunk_ends, dims, chunks);
}

/// `parts` gets each warp's share of the gradient of λ, [batch · chunks · warps, 2, dim]; null where it is not wanted.
extern "C" __global__ void ZOO_SCAN_BOUNDS lru_scan_backward(
    const float* lambda, const float* initial, const float* h, const float* grad_h, const float* starts, float* grad_x, float* grad_initial,
    float* parts, int length, int dims, int chunks, int chunk_length) {
    const ScanPlace place(length, dims, chunks, chunk_length);
    const i64 start = start_of(place, length, dims);
    const Complex back = load_complex(lambda, place.dim, dims).conjugate();
    const BackwardSteps steps = {
        back, Power<BackwardSteps::Steps>(back), parts ? h + start : nullptr,
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
