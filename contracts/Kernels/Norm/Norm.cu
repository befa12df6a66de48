// rms_norm and layer_norm of x, or of x + residual, and their backward (README.md). A block has a row; backward gives a block some rows, so that the
// gradients of weight and bias are summed over them in one place and in order.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;

extern "C" __global__ void norm_forward(
    const float* x, const float* residual, const float* weight, const float* bias, float* y, float* sum, float* means, float* rates,
    int dims, int centre, float epsilon) {
    const i64 row = blockIdx.x, start = row * dims;
    float total = 0;
    for (int d = threadIdx.x; d < dims; d += Threads) {
        float s = x[start + d];
        if (residual) {
            s += residual[start + d];
            sum[start + d] = s;
        }
        total += s;
    }
    const float* source = residual ? sum + start : x + start;      // a thread reads only what it wrote itself
    const float mean = centre ? block_sum<Threads>(total) / dims : 0;
    float squares = 0;
    for (int d = threadIdx.x; d < dims; d += Threads) {
        const float c = source[d] - mean;
        squares = fmaf(c, c, squares);
    }
    const float rate = 1 / sqrtf(block_sum<Threads>(squares) / dims + epsilon);
    for (int d = threadIdx.x; d < dims; d += Threads) {
        const float n = (source[d] - mean) * rate;
        y[start + d] = (weight ? n * weight[d] : n) + (bias ? bias[d] : 0);
    }
    if (threadIdx.x == 0) {
        if (means)
            means[row] = mean;
        if (rates)
            rates[row] = rate;
    }
}

/// ∂s = rate (g - mean(g) - x̂ mean(g x̂)) + ∂sum with g = ∂y weight; rms_norm without mean(g).
extern "C" __global__ void norm_backward(
    const float* source, const float* weight, const float* means, const float* rates, const float* grad_y, const float* grad_sum,
    float* grad_x, float* grad_residual, float* weight_parts, float* bias_parts, i64 rows, int rows_of_block, int dims) {
    const i64 first = static_cast<i64>(blockIdx.x) * rows_of_block, part = static_cast<i64>(blockIdx.x) * dims;
    const i64 end = first + rows_of_block < rows ? first + rows_of_block : rows;
    for (int d = threadIdx.x; d < dims; d += Threads) {
        if (weight_parts)
            weight_parts[part + d] = 0;
        if (bias_parts)
            bias_parts[part + d] = 0;
    }
    for (i64 row = first; row < end; row++) {
        const i64 start = row * dims;
        const float mean = means ? means[row] : 0, rate = rates[row];
        float total = 0, product = 0;
        for (int d = threadIdx.x; d < dims; d += Threads) {
            const float given = grad_y ? grad_y[start + d] : 0, n = (source[start + d] - mean) * rate;
            const float g = weight ? given * weight[d] : given;
            total += g;
            product = fmaf(g, n, product);
            if (weight_parts)
                weight_parts[part + d] = fmaf(given, n, weight_parts[part + d]);
            if (bias_parts)
                bias_parts[part + d] += given;
        }
        const float mean_g = means ? block_sum<Threads>(total) / dims : 0;
        const float mean_product = block_sum<Threads>(product) / dims;
        for (int d = threadIdx.x; d < dims; d += Threads) {
            const float given = grad_y ? grad_y[start + d] : 0, n = (source[start + d] - mean) * rate;
            const float g = weight ? given * weight[d] : given;
            const float grad = rate * (g - mean_g - n * mean_product) + (grad_sum ? grad_sum[start + d] : 0);
            if (grad_x)
                grad_x[start + d] = grad;
            if (grad_residual)
                grad_residual[start + d] = grad;
        }
    }
}

/// The parts of all blocks, added in order.
extern "C" __global__ void norm_columns(const float* parts, float* target, int blocks, int dims) {
    const int d = blockIdx.x * Threads + threadIdx.x;
    if (d >= dims)
        return;
    float total = 0;
    for (int b = 0; b < blocks; b++)
        total += parts[static_cast<i64>(b) * dims + d];
    target[d] = total;
}
