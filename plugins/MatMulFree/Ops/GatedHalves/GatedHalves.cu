// y = silu(first half) · second half of each row, and its backward, a number of y a thread (README.md).
#include "zoo.cuh"

using namespace zoo;

__device__ __forceinline__ i64 element() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }

/// Where the gate of the i-th number of y stands; its value stands `dims` behind.
__device__ __forceinline__ i64 gate_of(i64 i, int dims) { return i + i / dims * dims; }

extern "C" __global__ void gated_halves_forward(const float* x, float* y, i64 count, int dims) {
    const i64 i = element();
    if (i >= count)
        return;
    const i64 at = gate_of(i, dims);
    y[i] = silu(x[at]) * x[at + dims];
}

extern "C" __global__ void gated_halves_backward(const float* x, const float* grad_y, float* grad_x, i64 count, int dims) {
    const i64 i = element();
    if (i >= count)
        return;
    const i64 at = gate_of(i, dims);
    const float a = x[at], b = x[at + dims], g = grad_y[i], s = sigmoid(a);
    grad_x[at] = g * b * fmaf(a * s, 1 - s, s);
    grad_x[at + dims] = g * (a * s);
}
