// h_t = λ h_{t-1} + x_t, complex, one λ a dimension, and its backward (README.md). Real parts of a step come first, then the imaginary ones.
//
// One thread a dimension of a sequence goes through time; a warp reads 32 neighbouring dimensions at once. That leaves most of a card idle where
// there are few sequences: a scan over blocks of time, as Gated.cu has it, would be faster there.
#include "zoo.cuh"

using namespace zoo;

struct Complex {
    float re, im;
};

__device__ inline Complex times(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

__device__ inline Complex conjugate(Complex a) { return {a.re, -a.im}; }

/// One thread's dimension.
struct Place {
    i64 batch;
    int dim;
    bool inside;

    __device__ explicit Place(int dims) {
        batch = blockIdx.y;
        dim = blockIdx.x * blockDim.x + threadIdx.x;
        inside = dim < dims;
    }
};

__device__ inline Complex load(const float* parts, i64 at, int dims) { return {parts[at], parts[at + dims]}; }

__device__ inline void store(float* parts, i64 at, int dims, Complex value) {
    parts[at] = value.re;
    parts[at + dims] = value.im;
}

extern "C" __global__ void lru_scan_forward(
    const float* x, const float* lambda, const float* initial, float* h, float* last, int length, int dims) {
    const Place place(dims);
    if (!place.inside)
        return;
    const Complex l = load(lambda, place.dim, dims);
    const i64 sequence = place.batch * 2 * dims + place.dim, start = place.batch * length * 2 * dims + place.dim;
    Complex state = {0, 0};
    if (initial)
        state = load(initial, sequence, dims);
    for (int t = 0; t < length; t++) {
        const i64 at = start + static_cast<i64>(t) * 2 * dims;
        const Complex turned = times(l, state), input = load(x, at, dims);
        state = {turned.re + input.re, turned.im + input.im};
        store(h, at, dims, state);
    }
    store(last, sequence, dims, state);
}

/// `parts` gets each sequence's share of the gradient of λ; null where it is not wanted.
extern "C" __global__ void lru_scan_backward(
    const float* lambda, const float* initial, const float* h, const float* grad_h, const float* grad_last, float* grad_x, float* grad_initial,
    float* parts, int length, int dims) {
    const Place place(dims);
    if (!place.inside)
        return;
    const Complex back = conjugate(load(lambda, place.dim, dims));
    const i64 sequence = place.batch * 2 * dims + place.dim, start = place.batch * length * 2 * dims + place.dim;
    Complex carried = {0, 0}, total = {0, 0}, sum = {0, 0};
    if (grad_last)
        carried = load(grad_last, sequence, dims);
    for (int t = length - 1; t >= 0; t--) {
        const i64 at = start + static_cast<i64>(t) * 2 * dims;
        Complex g = carried;
        if (grad_h) {
            const Complex given = load(grad_h, at, dims);
            g = {g.re + given.re, g.im + given.im};
        }
        if (grad_x)
            store(grad_x, at, dims, g);
        carried = times(back, g);
        if (parts) {
            Complex before = {0, 0};
            if (t > 0)
                before = load(h, at - 2 * dims, dims);
            else if (initial)
                before = load(initial, sequence, dims);
            const Complex share = times(g, conjugate(before));
            sum = {sum.re + share.re, sum.im + share.im};
            if (t % 64 == 0) {     // sums of 64 steps, so that rounding grows with far fewer terms
                total = {total.re + sum.re, total.im + sum.im};
                sum = {0, 0};
            }
        }
    }
    if (grad_initial)
        store(grad_initial, sequence, dims, carried);
    if (parts)
        store(parts, sequence, dims, total);
}

/// Adds the sequences' shares in order. One thread a number of λ.
extern "C" __global__ void lru_scan_sum(const float* parts, float* grad_lambda, int batch, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    float sum = 0;
    for (int b = 0; b < batch; b++)
        sum += parts[static_cast<i64>(b) * count + i];
    grad_lambda[i] = sum;
}
