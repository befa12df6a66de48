// y_t = bias + sum_k weight_k x_{t-K+1+k} over [batch, time, dim], with SiLU where asked, and its backward (README.md).
//
// A thread has one dimension of a strip of steps, its neighbours the next dimensions; a block has 32 dimensions of neighbouring strips. For the
// usual widths, two to four, the window of inputs and the weights are in registers and every input is loaded once a strip, many at a time; other
// widths load what they need where they need it. Backward computes the sums before SiLU again. Gradients of the weight and the bias are summed over
// a strip by its thread, over a block's strips in shared memory and over blocks by a kernel of its own: a fixed order.
#include "zoo.cuh"

using namespace zoo;

constexpr int Strips = 8;           // of a block
constexpr int ForwardSteps = 16;    // of a strip
constexpr int BackwardSteps = 32;
constexpr int Group = 8;            // steps that backward loads at once

struct Conv {
    const float* x;
    const float* weight;     // [dim, width]
    const float* bias;       // null: zero
    const float* initial;    // [batch, width, dim]; null: zero
    int length, dims, width, silu_on;

    /// Zero beyond the last step.
    __device__ float input(int batch, int t, int d) const {
        if (t >= 0)
            return t < length ? __ldg(x + (static_cast<i64>(batch) * length + t) * dims + d) : 0;
        return initial ? __ldg(initial + (static_cast<i64>(batch) * width + width + t) * dims + d) : 0;
    }

    __device__ float own_bias(int d) const { return bias ? __ldg(bias + d) : 0; }

    /// Before SiLU.
    __device__ float sum(int batch, int t, int d) const {
        float s = own_bias(d);
        for (int k = 0; k < width; k++)
            s = fmaf(input(batch, t - width + 1 + k, d), weight[static_cast<i64>(d) * width + k], s);
        return s;
    }

    __device__ float output(float s) const { return silu_on ? s * fast_reciprocal(1 + expf(-s)) : s; }

    /// The gradient of a sum, from that of the output.
    __device__ float gradient(float given, float s) const {
        if (!silu_on)
            return given;
        const float sigma = fast_reciprocal(1 + expf(-s));
        return given * sigma * (1 + s * (1 - sigma));
    }

    __device__ float given(const float* grad_y, int batch, int t, int d) const {
        return grad_y && t >= 0 && t < length ? __ldg(grad_y + (static_cast<i64>(batch) * length + t) * dims + d) : 0;
    }

    __device__ float gradient_at(const float* grad_y, int batch, int t, int d) const {
        return t < 0 || t >= length ? 0 : gradient(given(grad_y, batch, t, d), sum(batch, t, d));
    }

    /// What the gradient of the last inputs adds at a step.
    __device__ float of_last(const float* grad_last, int batch, int t, int d) const {
        const int slot = t - (length - width);
        return grad_last && slot >= 0 ? __ldg(grad_last + (static_cast<i64>(batch) * width + slot) * dims + d) : 0;
    }
};

/// This thread's dimension, and the first step of its strip.
struct Strip {
    int batch, dim, first, length, dims;
    i64 block;               // of time, over all sequences
    i64 start;               // of the strip in [batch, time, dim]
    bool inside;

    __device__ Strip(int length, int dims, int steps) : length(length), dims(dims) {
        const int columns = (dims + WarpSize - 1) / WarpSize, rows = (length + Strips * steps - 1) / (Strips * steps);
        block = blockIdx.x / columns;
        batch = blockIdx.x / columns / rows;
        dim = blockIdx.x % columns * WarpSize + threadIdx.x;
        first = (blockIdx.x / columns % rows * Strips + threadIdx.y) * steps;
        inside = dim < dims;
        dim = min(dim, dims - 1);
        start = (static_cast<i64>(batch) * length + first) * dims + dim;
    }

    /// At the strip's i-th step; zero beyond the last one, and for an absent array.
    __device__ float at(const float* array, int i) const { return array && first + i < length ? __ldg(array + start + i * dims) : 0; }

    /// The last inputs before the strip; a strip is longer than a window.
    template <int Count> __device__ void before(float* values, const Conv& conv) const {
#pragma unroll
        for (int k = 0; k < Count; k++)
            values[k] = first > 0 ? at(conv.x, k - Count) : conv.input(batch, k - Count, dim);
    }
};

/// Width 0 is any.
template <int Width> __device__ void forward(const Conv& conv, float* y) {
    const Strip strip(conv.length, conv.dims, ForwardSteps);
    if (!strip.inside || strip.first >= conv.length)
        return;
    const int d = strip.dim, count = min(ForwardSteps, conv.length - strip.first);
    y += strip.start;
    if constexpr (Width == 0) {
        for (int s = 0; s < count; s++)
            y[s * conv.dims] = conv.output(conv.sum(strip.batch, strip.first + s, d));
    } else {
        float x[ForwardSteps + Width - 1], weight[Width];
        strip.before<Width - 1>(x, conv);
#pragma unroll
        for (int s = 0; s < ForwardSteps; s++)
            x[Width - 1 + s] = strip.at(conv.x, s);
#pragma unroll
        for (int k = 0; k < Width; k++)
            weight[k] = __ldg(conv.weight + static_cast<i64>(d) * Width + k);
        const float bias = conv.own_bias(d);
#pragma unroll
        for (int s = 0; s < ForwardSteps; s++) {
            float sum = bias;
#pragma unroll
            for (int k = 0; k < Width; k++)
                sum = fmaf(x[s + k], weight[k], sum);
            if (s < count)
                y[s * conv.dims] = conv.output(sum);
        }
    }
}

/// Count steps from the strip's i-th on: their gradients, and from those the gradients of the inputs that are Width - 1 steps earlier.
template <int Width, int Count, bool Weighted> __device__ void backward_steps(
    const Conv& conv, const Strip& strip, int i, const float* grad_y, const float* grad_last, float* grad_x, const float (&weight)[Width], float bias,
    float (&x_before)[Width - 1], float (&g_before)[Width - 1], float (&of_weight)[Width], float& of_bias) {
    const int first = strip.first + i;
    float x[Count + Width - 1], g[Count + Width - 1], given[Count];
#pragma unroll
    for (int k = 0; k < Width - 1; k++) {
        x[k] = x_before[k];
        g[k] = g_before[k];
    }
#pragma unroll
    for (int j = 0; j < Count; j++) {
        x[Width - 1 + j] = strip.at(conv.x, i + j);
        given[j] = strip.at(grad_y, i + j);
    }
#pragma unroll
    for (int j = 0; j < Count; j++) {
        float sum = bias;
#pragma unroll
        for (int k = 0; k < Width; k++)
            sum = fmaf(x[j + k], weight[k], sum);
        g[Width - 1 + j] = first + j < conv.length ? conv.gradient(given[j], sum) : 0;
        if (Weighted) {
#pragma unroll
            for (int k = 0; k < Width; k++)
                of_weight[k] = fmaf(g[Width - 1 + j], x[j + k], of_weight[k]);
            of_bias += g[Width - 1 + j];
        }
    }
    if (grad_x && strip.inside) {
#pragma unroll
        for (int j = 0; j < Count; j++) {
            const int t = first + j - (Width - 1);
            if (t < strip.first || t >= conv.length)
                continue;
            float sum = conv.of_last(grad_last, strip.batch, t, strip.dim);
#pragma unroll
            for (int k = 0; k < Width; k++)
                sum = fmaf(g[Width - 1 + j - k], weight[k], sum);
            grad_x[strip.start + (i + j - (Width - 1)) * conv.dims] = sum;
        }
    }
#pragma unroll
    for (int k = 0; k < Width - 1; k++) {
        x_before[k] = x[Count + k];
        g_before[k] = g[Count + k];
    }
}

/// The sum over a block's strips, for those of the first one.
__device__ inline float sum_strips(float value) {
    __shared__ float values[Strips][WarpSize];
    values[threadIdx.y][threadIdx.x] = value;
    __syncthreads();
    if (threadIdx.y == 0) {
#pragma unroll
        for (int i = 1; i < Strips; i++)
            value += values[i][threadIdx.x];
    }
    __syncthreads();
    return value;
}

/// Width 0 is any. `weight_parts` [blocks of time, dim, width] and `bias_parts` [blocks of time, dim] are null where not wanted, as grad_x.
template <int Width> __device__ void backward(
    const Conv& conv, const float* grad_y, const float* grad_last, float* grad_x, float* weight_parts, float* bias_parts) {
    const Strip strip(conv.length, conv.dims, BackwardSteps);
    const int d = strip.dim, width = conv.width;
    float of_bias = 0;
    const bool writes = strip.inside && threadIdx.y == 0;
    weight_parts += weight_parts ? (strip.block * conv.dims + d) * width : 0;
    if constexpr (Width == 0) {
        const int end = min(conv.length, strip.first + BackwardSteps);
        for (int t = strip.first; t < end && grad_x && strip.inside; t++) {
            float sum = conv.of_last(grad_last, strip.batch, t, d);
            for (int k = 0; k < width; k++)
                sum = fmaf(conv.gradient_at(grad_y, strip.batch, t + width - 1 - k, d), conv.weight[static_cast<i64>(d) * width + k], sum);
            grad_x[(static_cast<i64>(strip.batch) * conv.length + t) * conv.dims + d] = sum;
        }
        for (int k = 0; k < width && weight_parts; k++) {
            float of_weight = 0;
            for (int t = strip.first; t < end; t++)
                of_weight = fmaf(conv.gradient_at(grad_y, strip.batch, t, d), conv.input(strip.batch, t - width + 1 + k, d), of_weight);
            of_weight = sum_strips(of_weight);
            if (writes)
                weight_parts[k] = of_weight;
        }
        for (int t = strip.first; t < end && bias_parts; t++)
            of_bias += conv.gradient_at(grad_y, strip.batch, t, d);
    } else {
        float weight[Width], of_weight[Width], x_before[Width - 1], g_before[Width - 1];
#pragma unroll
        for (int k = 0; k < Width; k++) {
            weight[k] = __ldg(conv.weight + static_cast<i64>(d) * Width + k);
            of_weight[k] = 0;
        }
#pragma unroll
        for (int k = 0; k < Width - 1; k++)
            g_before[k] = 0;
        strip.before<Width - 1>(x_before, conv);
        const float bias = conv.own_bias(d);
        for (int i = 0; i < BackwardSteps && strip.first + i < conv.length; i += Group)
            backward_steps<Width, Group, true>(conv, strip, i, grad_y, grad_last, grad_x, weight, bias, x_before, g_before, of_weight, of_bias);
        // Gradients of the strip's last inputs need the steps after it; of a sequence's last ones, only steps that are not there.
        const int covered = min(BackwardSteps, (max(0, conv.length - strip.first) + Group - 1) / Group * Group);
        backward_steps<Width, Width - 1, false>(conv, strip, covered, grad_y, grad_last, grad_x, weight, bias, x_before, g_before, of_weight, of_bias);
        if (weight_parts) {
#pragma unroll
            for (int k = 0; k < Width; k++) {
                const float sum = sum_strips(of_weight[k]);
                if (writes)
                    weight_parts[k] = sum;
            }
        }
    }
    if (bias_parts) {
        of_bias = sum_strips(of_bias);
        if (writes)
            bias_parts[strip.block * conv.dims + d] = of_bias;
    }
}

#define CONV_KERNELS(NAME, WIDTH)                                                                                                             \
    extern "C" __global__ void __launch_bounds__(WarpSize * Strips) causal_conv_forward_##NAME(                                               \
        const float* x, const float* weight, const float* bias, const float* initial, float* y, int length, int dims, int width,              \
        int silu_on) {                                                                                                                        \
        forward<WIDTH>({x, weight, bias, initial, length, dims, width, silu_on}, y);                                                          \
    }                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(WarpSize * Strips) causal_conv_backward_##NAME(                                              \
        const float* x, const float* weight, const float* bias, const float* initial, const float* grad_y, const float* grad_last,            \
        float* grad_x, float* weight_parts, float* bias_parts, int length, int dims, int width, int silu_on) {                                \
        backward<WIDTH>({x, weight, bias, initial, length, dims, width, silu_on}, grad_y, grad_last, grad_x, weight_parts, bias_parts);       \
    }

CONV_KERNELS(any, 0)
CONV_KERNELS(2, 2)
CONV_KERNELS(3, 3)
CONV_KERNELS(4, 4)

/// The last inputs, [batch, width, dim].
extern "C" __global__ void causal_conv_last(const float* x, const float* initial, float* last, int batches, int length, int dims, int width) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * width * dims)
        return;
    const Conv conv = {x, nullptr, nullptr, initial, length, dims, width, 0};
    const int batch = i / dims / width, slot = i / dims % width;
    last[i] = conv.input(batch, length - width + slot, i % dims);
}

/// The gradient of the inputs before the first step, [batch, width, dim].
extern "C" __global__ void causal_conv_backward_initial(
    const float* x, const float* weight, const float* bias, const float* initial, const float* grad_y, const float* grad_last, float* gradient,
    int batches, int length, int dims, int width, int silu_on) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * width * dims)
        return;
    const Conv conv = {x, weight, bias, initial, length, dims, width, silu_on};
    const int batch = i / dims / width, t = static_cast<int>(i / dims % width) - width, d = i % dims;
    float sum = conv.of_last(grad_last, batch, t, d);
    for (int k = 0; k < width; k++)      // the step whose sum has this input times column k
        sum = fmaf(conv.gradient_at(grad_y, batch, t + width - 1 - k, d), weight[static_cast<i64>(d) * width + k], sum);
    gradient[i] = sum;
}

/// Adds the parts of all blocks of time, in their order.
extern "C" __global__ void causal_conv_add_parts(const float* parts, float* gradient, int blocks, int count) { add_rows(parts, gradient, blocks, count); }
