// y = x / √(mean(x²) + ε) weight silu(gate), and its backward (README.md). A block has a row; backward gives a block some rows, so that the
// gradient of the weight is summed over them in one place and in order.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;

__device__ float rate_of(const float* x, int dims, float epsilon) {
    float squares = 0;
    for (int d = threadIdx.x; d < dims; d += Threads)
        squares = fmaf(x[d], x[d], squares);
    return 1 / sqrtf(block_sum<Threads>(squares) / dims + epsilon);
}

/// σ(x) for x held between -87 and 87, so that e^x stays finite.
__device__ inline float bounded_sigmoid(float x) { return 1 / (1 + expf(fminf(fmaxf(-x, -87.0f), 87.0f))); }

extern "C" __global__ void swish_norm_forward(const float* x, const float* gate, const float* weight, float* y, int dims, float epsilon) {
    const i64 start = static_cast<i64>(blockIdx.x) * dims;
    const float rate = rate_of(x + start, dims, epsilon);
    for (int d = threadIdx.x; d < dims; d += Threads) {
        const float o = gate[start + d];
        y[start + d] = x[start + d] * rate * weight[d] * (o * bounded_sigmoid(o));
    }
}

extern "C" __global__ void swish_norm_backward(
    const float* x, const float* gate, const float* weight, const float* grad_y, float* grad_x, float* grad_gate, float* parts, i64 rows,
    int rows_of_block, int dims, float epsilon) {
    const i64 first = static_cast<i64>(blockIdx.x) * rows_of_block, end = first + rows_of_block < rows ? first + rows_of_block : rows;
    float* part = parts ? parts + static_cast<i64>(blockIdx.x) * dims : nullptr;
    for (int d = threadIdx.x; part && d < dims; d += Threads)
        part[d] = 0;
    for (i64 row = first; row < end; row++) {
        const i64 start = row * dims;
        const float rate = rate_of(x + start, dims, epsilon);
        float product = 0;
        for (int d = threadIdx.x; d < dims; d += Threads) {
            const float o = gate[start + d], given = grad_y[start + d], n = x[start + d] * rate, s = bounded_sigmoid(o), silu = o * s;
            product = fmaf(given * silu * weight[d], n, product);
            if (part)
                part[d] = fmaf(given * silu, n, part[d]);
            if (grad_gate)
                grad_gate[start + d] = given * n * weight[d] * fmaf(silu, 1 - s, s);
        }
        const float mean = block_sum<Threads>(product) / dims;
        for (int d = threadIdx.x; grad_x && d < dims; d += Threads) {
            const float o = gate[start + d];
            grad_x[start + d] = rate * (grad_y[start + d] * (o * bounded_sigmoid(o)) * weight[d] - x[start + d] * rate * mean);
        }
    }
}

/// The parts of all blocks, added in order.
extern "C" __global__ void swish_norm_columns(const float* parts, float* target, int blocks, int dims) {
    const int d = blockIdx.x * Threads + threadIdx.x;
    if (d >= dims)
        return;
    float total = 0;
    for (int b = 0; b < blocks; b++)
        total += parts[static_cast<i64>(b) * dims + d];
    target[d] = total;
}
