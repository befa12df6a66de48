// gelu and swiglu and their backward, a number a thread (README.md).
#include "zoo.cuh"

using namespace zoo;

constexpr float HalfRoot = 0.70710678f;         // √½
constexpr float DensityAtZero = 0.39894228f;    // 1 / √(2π)
constexpr float TwiceSlope = 1.5957691f;        // 2 √(2/π)
constexpr float Cubic = 0.044715f;

__device__ __forceinline__ i64 element() { return static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; }

__device__ __forceinline__ float twice_u(float x) { return x * fmaf(x * x, Cubic * TwiceSlope, TwiceSlope); }

extern "C" __global__ void gelu_forward(const float* x, float* y, i64 count, int tanh) {
    const i64 i = element();
    if (i < count)
        y[i] = x[i] * (tanh ? sigmoid(twice_u(x[i])) : 0.5f * erfcf(-HalfRoot * x[i]));
}

extern "C" __global__ void gelu_backward(const float* x, const float* grad_y, float* grad_x, i64 count, int tanh) {
    const i64 i = element();
    if (i >= count)
        return;
    const float v = x[i], given = grad_y ? grad_y[i] : 0;
    if (tanh) {
        // s (1 - s) from the smaller side, so that nothing cancels.
        const float e = expf(-fabsf(twice_u(v))), larger = 1 / (1 + e), smaller = e * larger;
        const float slope = fmaf(v * v, 3 * Cubic * TwiceSlope, TwiceSlope);
        grad_x[i] = given * fmaf(v * larger * smaller, slope, v > 0 ? larger : smaller);
    } else {
        grad_x[i] = given * fmaf(v * DensityAtZero, expf(-0.5f * v * v), 0.5f * erfcf(-HalfRoot * v));
    }
}

extern "C" __global__ void swiglu_forward(const float* gate, const float* up, float* y, i64 count) {
    const i64 i = element();
    if (i < count)
        y[i] = silu(gate[i]) * up[i];
}

extern "C" __global__ void swiglu_backward(
    const float* gate, const float* up, const float* grad_y, float* grad_gate, float* grad_up, i64 count) {
    const i64 i = element();
    if (i >= count)
        return;
    const float g = gate[i], given = grad_y ? grad_y[i] : 0, s = sigmoid(g);
    if (grad_up)
        grad_up[i] = given * g * s;
    if (grad_gate)
        grad_gate[i] = given * up[i] * fmaf(g * s, 1 - s, s);
}
