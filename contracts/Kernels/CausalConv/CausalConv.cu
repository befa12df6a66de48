// y_t = bias + sum_k weight_k x_{t-K+1+k} over [batch, time, dim], with SiLU where asked, and its backward (README.md).
//
// One thread a number of the result, neighbouring threads neighbouring dimensions. Backward computes the sums before SiLU again where it needs
// them. Gradients of the weight and the bias are summed over time by one thread a sequence, and over sequences by another: a fixed order.
#include "zoo.cuh"

using namespace zoo;

struct Conv {
    const float* x;
    const float* weight;     // [dim, width]
    const float* bias;       // null: zero
    const float* initial;    // [batch, width, dim]; null: zero
    int length, dims, width, silu_on;

    __device__ float input(int batch, int t, int d) const {
        if (t >= 0)
            return x[(static_cast<i64>(batch) * length + t) * dims + d];
        return initial ? initial[(static_cast<i64>(batch) * width + width + t) * dims + d] : 0;
    }

    /// Before SiLU.
    __device__ float sum(int batch, int t, int d) const {
        float s = bias ? bias[d] : 0;
        for (int k = 0; k < width; k++)
            s = fmaf(input(batch, t - width + 1 + k, d), weight[static_cast<i64>(d) * width + k], s);
        return s;
    }

    /// The gradient of the sum at a step.
    __device__ float gradient(const float* grad_y, int batch, int t, int d) const {
        if (!grad_y)
            return 0;
        const float g = grad_y[(static_cast<i64>(batch) * length + t) * dims + d];
        if (!silu_on)
            return g;
        const float s = sum(batch, t, d), sigma = sigmoid(s);
        return g * sigma * (1 + s * (1 - sigma));
    }
};

extern "C" __global__ void causal_conv_forward(
    const float* x, const float* weight, const float* bias, const float* initial, float* y, int batches, int length, int dims, int width, int silu_on) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * length * dims)
        return;
    const Conv conv = {x, weight, bias, initial, length, dims, width, silu_on};
    const float s = conv.sum(i / dims / length, i / dims % length, i % dims);
    y[i] = silu_on ? silu(s) : s;
}

/// The last inputs, [batch, width, dim].
extern "C" __global__ void causal_conv_last(const float* x, const float* initial, float* last, int batches, int length, int dims, int width) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * width * dims)
        return;
    const Conv conv = {x, nullptr, nullptr, initial, length, dims, width, 0};
    const int batch = i / dims / width, slot = i / dims % width;
    last[i] = conv.input(batch, length - width + slot, i % dims);
}

/// The gradient of the inputs from step `first` on, which is negative for those before the first one; `rows` of them a sequence.
extern "C" __global__ void causal_conv_backward_input(
    const float* x, const float* weight, const float* bias, const float* initial, const float* grad_y, const float* grad_last, float* gradient,
    int first, int rows, int batches, int length, int dims, int width, int silu_on) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * rows * dims)
        return;
    const Conv conv = {x, weight, bias, initial, length, dims, width, silu_on};
    const int batch = i / dims / rows, t = first + i / dims % rows, d = i % dims;
    const int slot = t - (length - width);
    float g = grad_last && slot >= 0 ? grad_last[(static_cast<i64>(batch) * width + slot) * dims + d] : 0;
    for (int k = 0; k < width; k++) {
        const int step = t + width - 1 - k;      // whose sum has this input times column k
        if (step >= 0 && step < length)
            g = fmaf(conv.gradient(grad_y, batch, step, d), weight[static_cast<i64>(d) * width + k], g);
    }
    gradient[i] = g;
}

/// A sequence's part of the gradients of the columns, and of the bias in a last row: [batch, width + 1, dim].
extern "C" __global__ void causal_conv_backward_weight(
    const float* x, const float* weight, const float* bias, const float* initial, const float* grad_y, float* sums,
    int batches, int length, int dims, int width, int silu_on) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * (width + 1) * dims)
        return;
    const Conv conv = {x, weight, bias, initial, length, dims, width, silu_on};
    const int batch = i / dims / (width + 1), k = i / dims % (width + 1), d = i % dims;
    float sum = 0;
    for (int t = 0; t < length; t++) {
        const float g = conv.gradient(grad_y, batch, t, d);
        sum += k < width ? g * conv.input(batch, t - width + 1 + k, d) : g;
    }
    sums[i] = sum;
}

/// Over sequences: the gradient of the weight, [dim, width], and of the bias, [dim]; null where it is not wanted.
extern "C" __global__ void causal_conv_backward_sum(const float* sums, float* grad_weight, float* grad_bias, int batches, int dims, int width) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(width + 1) * dims)
        return;
    float sum = 0;
    for (int batch = 0; batch < batches; batch++)
        sum += sums[batch * static_cast<i64>(width + 1) * dims + i];
    const int k = i / dims, d = i % dims;
    if (k < width && grad_weight)
        grad_weight[static_cast<i64>(d) * width + k] = sum;
    if (k == width && grad_bias)
        grad_bias[d] = sum;
}
