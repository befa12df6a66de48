// One token through one block (README.md), in four launches: norm and in_proj; convolution and x_proj; dt_proj, scan and gate; out_proj.
//
// A warp multiplies a row of a matrix, so that neighbouring threads read neighbouring weights, and a block has eight rows of one sequence. What a
// product needs whole, the normalised stream and the convolved inputs, each block reckons for itself in shared memory: that is a few thousand
// operations, less than another launch. Block 0 of a sequence writes what of it is an output.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr int Rows = Threads / WarpSize;
constexpr float SmallestState = 7.9e-31f;      // below it a state counts as zero, as in the scan over time

/// A row times a vector in shared memory, for all threads of the warp.
template <class T> __device__ float product(const T* row, const float* vector, int length) {
    float even = 0, odd = 0;                   // two sums, so that one load need not wait for the other's product
    int i = lane();
    for (; i + WarpSize < length; i += 2 * WarpSize) {
        even = fmaf(to_float(row[i]), vector[i], even);
        odd = fmaf(to_float(row[i + WarpSize]), vector[i + WarpSize], odd);
    }
    if (i < length)
        even = fmaf(to_float(row[i]), vector[i], even);
    return warp_sum(even + odd);
}

/// hidden + residual, and its norm in shared memory.
__device__ void normalise(
    const float* hidden, const float* residual, const float* weight, const float* bias, float* sum_out, float* normed, int dim, int is_rms,
    float epsilon) {
    const i64 start = static_cast<i64>(blockIdx.y) * dim;
    float total = 0;
    for (int i = threadIdx.x; i < dim; i += Threads) {
        const float s = hidden[start + i] + (residual ? residual[start + i] : 0);
        normed[i] = s;
        total += s;
        if (blockIdx.x == 0)
            sum_out[start + i] = s;
    }
    const float mean = is_rms ? 0 : block_sum<Threads>(total) / dim;
    float squares = 0;
    for (int i = threadIdx.x; i < dim; i += Threads)
        squares = fmaf(normed[i] - mean, normed[i] - mean, squares);
    const float rate = 1 / sqrtf(block_sum<Threads>(squares) / dim + epsilon);
    for (int i = threadIdx.x; i < dim; i += Threads)
        normed[i] = (normed[i] - mean) * rate * weight[i] + (bias ? bias[i] : 0);
    __syncthreads();
}

/// The normalised stream times the rows of in_x and then of in_z: x and z, [batch, inner].
template <class T> __device__ void in_projection(
    const float* hidden, const float* residual, const float* norm_weight, const float* norm_bias, const T* in_x, const T* in_z,
    const float* x_bias, const float* z_bias, float* sum_out, float* x, float* z, int dim, int inner, int is_rms, float epsilon) {
    float* const normed = dynamic_shared<float>();
    normalise(hidden, residual, norm_weight, norm_bias, sum_out, normed, dim, is_rms, epsilon);
    const int row = blockIdx.x * Rows + warp();
    if (row >= 2 * inner)
        return;
    const bool of_x = row < inner;
    const int e = of_x ? row : row - inner;
    const float y = product((of_x ? in_x : in_z) + static_cast<i64>(e) * dim, normed, dim);
    if (lane() != 0)
        return;
    const float* const bias = of_x ? x_bias : z_bias;
    float* const to = of_x ? x : z;
    to[static_cast<i64>(blockIdx.y) * inner + e] = y + (bias ? bias[e] : 0);
}

/// The window moved on and convolved, u, [batch, inner], and u times the rows of x_dt, x_b and x_c: [batch, rank + 2 states].
template <class T> __device__ void selection(
    const float* x, const float* conv_weight, const float* conv_bias, const float* inputs, const T* x_dt, const T* x_b, const T* x_c, float* u,
    float* next_inputs, float* parameters, int inner, int width, int rank, int states) {
    float* const convolved = dynamic_shared<float>();
    const i64 window = static_cast<i64>(blockIdx.y) * width * inner, start = static_cast<i64>(blockIdx.y) * inner;
    for (int e = threadIdx.x; e < inner; e += Threads) {
        float s = conv_bias ? conv_bias[e] : 0;
        for (int k = 0; k < width; k++) {
            const float value = k + 1 < width ? inputs[window + static_cast<i64>(k + 1) * inner + e] : x[start + e];
            s = fmaf(value, conv_weight[static_cast<i64>(e) * width + k], s);
            if (blockIdx.x == 0)
                next_inputs[window + static_cast<i64>(k) * inner + e] = value;
        }
        convolved[e] = silu(s);
        if (blockIdx.x == 0)
            u[start + e] = convolved[e];
    }
    __syncthreads();
    const int row = blockIdx.x * Rows + warp(), count = rank + 2 * states;
    if (row >= count)
        return;
    const T* const matrix = row < rank ? x_dt : row < rank + states ? x_b : x_c;
    const int within = row < rank ? row : row < rank + states ? row - rank : row - rank - states;
    const float y = product(matrix + static_cast<i64>(within) * inner, convolved, inner);
    if (lane() == 0)
        parameters[static_cast<i64>(blockIdx.y) * count + row] = y;
}

/// A warp a channel: its step size, its states, and gated = (C h + D u) silu(z), [batch, inner].
template <class T> __device__ void scan(
    const float* parameters, const T* dt_weight, const float* dt_bias, const float* A, const float* skip, const float* u, const float* z,
    const float* before, float* gated, float* after, int inner, int rank, int states) {
    float* const shared = dynamic_shared<float>();      // Δ's low-rank input, B and C
    const int count = rank + 2 * states;
    for (int i = threadIdx.x; i < count; i += Threads)
        shared[i] = parameters[static_cast<i64>(blockIdx.y) * count + i];
    __syncthreads();
    const int e = blockIdx.x * Rows + warp();
    if (e >= inner)
        return;
    const float delta = softplus(product(dt_weight + static_cast<i64>(e) * rank, shared, rank) + dt_bias[e]);
    const i64 at = static_cast<i64>(blockIdx.y) * inner + e;
    const float value = u[at];
    float sum = 0;
    for (int n = lane(); n < states; n += WarpSize) {
        float h = expf(delta * A[static_cast<i64>(e) * states + n]) * before[at * states + n] + delta * value * shared[rank + n];
        h = fabsf(h) < SmallestState ? 0 : h;
        after[at * states + n] = h;
        sum = fmaf(h, shared[rank + states + n], sum);
    }
    sum = warp_sum(sum);
    if (lane() == 0)
        gated[at] = fmaf(skip[e], value, sum) * silu(z[at]);
}

/// [batch, inner] times out_proj's rows: [batch, dim].
template <class T> __device__ void out_projection(const float* gated, const T* weight, const float* bias, float* y, int dim, int inner) {
    float* const vector = dynamic_shared<float>();
    for (int i = threadIdx.x; i < inner; i += Threads)
        vector[i] = gated[static_cast<i64>(blockIdx.y) * inner + i];
    __syncthreads();
    const int row = blockIdx.x * Rows + warp();
    if (row >= dim)
        return;
    const float sum = product(weight + static_cast<i64>(row) * inner, vector, inner);
    if (lane() == 0)
        y[static_cast<i64>(blockIdx.y) * dim + row] = sum + (bias ? bias[row] : 0);
}

#define MAMBA_STEP(SUFFIX, T)                                                                                                                   \
    extern "C" __global__ void mamba_step_in_##SUFFIX(                                                                                          \
        const float* hidden, const float* residual, const float* norm_weight, const float* norm_bias, const T* in_x, const T* in_z,             \
        const float* x_bias, const float* z_bias, float* sum_out, float* x, float* z, int dim, int inner, int is_rms, float epsilon) {          \
        in_projection(hidden, residual, norm_weight, norm_bias, in_x, in_z, x_bias, z_bias, sum_out, x, z, dim, inner, is_rms, epsilon);        \
    }                                                                                                                                           \
    extern "C" __global__ void mamba_step_selection_##SUFFIX(                                                                                   \
        const float* x, const float* conv_weight, const float* conv_bias, const float* inputs, const T* x_dt, const T* x_b, const T* x_c,       \
        float* u, float* next_inputs, float* parameters, int inner, int width, int rank, int states) {                                          \
        selection(x, conv_weight, conv_bias, inputs, x_dt, x_b, x_c, u, next_inputs, parameters, inner, width, rank, states);                   \
    }                                                                                                                                           \
    extern "C" __global__ void mamba_step_scan_##SUFFIX(                                                                                        \
        const float* parameters, const T* dt_weight, const float* dt_bias, const float* A, const float* skip, const float* u, const float* z,   \
        const float* before, float* gated, float* after, int inner, int rank, int states) {                                                     \
        scan(parameters, dt_weight, dt_bias, A, skip, u, z, before, gated, after, inner, rank, states);                                         \
    }                                                                                                                                           \
    extern "C" __global__ void mamba_step_out_##SUFFIX(                                                                                         \
        const float* gated, const T* weight, const float* bias, float* y, int dim, int inner) {                                                 \
        out_projection(gated, weight, bias, y, dim, inner);                                                                                     \
    }

MAMBA_STEP(f32, float)
MAMBA_STEP(bf16, bf16)
