// The ternary layer: RMS norm, rounding to 8 bits a row, rounding of weights to -1, 0, 1, and the product in whole numbers on the tensor cores
// (README.md). Rounded rows and codes lie in scratch memory, a byte a number, `stride` bytes a row: a multiple of 64, filled up with zeros.
// Backward rounds again and has two products of a float matrix with bytes. A byte is exact in tf32; the float is split into two tf32 numbers,
// so that a product loses no more than the last two bits that float32 has.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr float Largest = 127, Smallest = 1e-5f;

/// Σ |w| of a block's slice, in float64: the blocks' parts are added in order by the next kernel.
extern "C" __global__ void bitlinear_weight_sums(const float* weight, double* parts, i64 count, i64 slice) {
    const i64 first = blockIdx.x * slice, end = first + slice < count ? first + slice : count;
    double total = 0;
    for (i64 i = first + threadIdx.x; i < end; i += Threads)
        total += fabsf(weight[i]);
    total = block_sum<Threads>(total);
    if (threadIdx.x == 0)
        parts[blockIdx.x] = total;
}

/// w_scale = max(mean |w|, 1e-5). One block of one warp; each lane takes its parts in order.
extern "C" __global__ void bitlinear_weight_scale(const double* parts, float* scale, int blocks, i64 count) {
    double total = 0;
    for (int b = threadIdx.x; b < blocks; b += WarpSize)
        total += parts[b];
    total = warp_sum(total);
    if (threadIdx.x == 0) {
        const float mean = static_cast<float>(total / count);
        *scale = mean < Smallest ? Smallest : mean;            // NaN stays
    }
}

/// A thread a byte of the codes: -1, 0 or 1 by the quotient, halves to zero. `ternary`, without filling up, may be null.
extern "C" __global__ void bitlinear_weight_codes(const float* weight, const float* scale, i8* codes, i8* ternary, i64 bytes, int inputs, int stride) {
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    if (i >= bytes)
        return;
    const i64 row = i / stride;
    const int column = static_cast<int>(i % stride);
    i8 code = 0;
    if (column < inputs) {
        const float ratio = __fdiv_rn(weight[row * inputs + column], *scale);
        code = ratio > 0.5f ? 1 : ratio < -0.5f ? -1 : 0;
        if (ternary)
            ternary[row * inputs + column] = code;
    }
    codes[i] = code;
}

/// A block a row: n = x rate norm, x_scale = 127 / max |n|, bytes = round(n x_scale). `integers`, without filling up, may be null.
extern "C" __global__ void bitlinear_rows(
    const float* x, const float* norm, i8* bytes, i8* integers, float* scales, float* rates, int inputs, int stride, float epsilon) {
    const i64 row = blockIdx.x;
    x += row * inputs;
    bytes += row * stride;
    float squares = 0;
    for (int d = threadIdx.x; d < inputs; d += Threads)
        squares = fmaf(x[d], x[d], squares);
    squares = block_sum<Threads>(squares);
    const bool sound = squares < infinity();                    // false for NaN: all of the row's results are then NaN
    const float rate = sound ? 1 / sqrtf(squares / inputs + epsilon) : not_a_number();
    float largest = 0;
    for (int d = threadIdx.x; d < inputs; d += Threads)
        largest = fmaxf(largest, fabsf(x[d] * rate * norm[d]));
    largest = block_max<Threads>(largest);
    const float scale = sound ? __fdiv_rn(Largest, fmaxf(largest, Smallest)) : not_a_number();
    for (int d = threadIdx.x; d < stride; d += Threads) {
        const i8 byte = sound && d < inputs ? static_cast<i8>(rintf(__fmul_rn(x[d] * rate * norm[d], scale))) : 0;
        bytes[d] = byte;
        if (integers && d < inputs)
            integers[row * inputs + d] = byte;
    }
    if (threadIdx.x == 0) {
        scales[row] = scale;
        if (rates)
            rates[row] = rate;
    }
}

constexpr int Tile = 64;                 // rows and outputs of a block, and bytes of a step
constexpr int TileStride = Tile + 16;    // 20 words: eight rows by four lanes meet every bank once
constexpr int ProductThreads = 128;

/// Copies 64 rows of 64 bytes into shared memory; rows beyond `rows` become zero.
__device__ __forceinline__ void copy_tile(i8* shared, const i8* global, i64 first, i64 rows, int stride, int at) {
#pragma unroll
    for (int i = 0; i < Tile * 4 / ProductThreads; i++) {
        const int piece = threadIdx.x + i * ProductThreads, row = piece / 4, column = piece % 4 * 16;
        const bool inside = first + row < rows;
        copy_async_16(shared + row * TileStride + column, global + (inside ? first + row : 0) * stride + at + column, inside ? 16 : 0);
    }
}

/// y = sums · (w_scale / x_scale) + bias. Four warps, each 32 rows by 32 outputs; two steps are on their way while one is multiplied.
extern "C" __global__ void __launch_bounds__(ProductThreads) bitlinear_product(
    const i8* bytes, const i8* codes, const float* scales, const float* weight_scale, const float* bias, float* y, i64 rows, int outputs, int stride) {
    __shared__ __align__(16) i8 a_tiles[2][Tile * TileStride];
    __shared__ __align__(16) i8 b_tiles[2][Tile * TileStride];
    const i64 first_row = static_cast<i64>(blockIdx.y) * Tile;
    const int first_output = blockIdx.x * Tile;
    const int g = lane() / 4, t = lane() % 4, warp_row = warp() / 2 * 32, warp_output = warp() % 2 * 32;
    int sums[2][4][4] = {};
    const int steps = stride / Tile;
    copy_tile(a_tiles[0], bytes, first_row, rows, stride, 0);
    copy_tile(b_tiles[0], codes, first_output, outputs, stride, 0);
    copy_commit();
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) {
            copy_tile(a_tiles[(step + 1) % 2], bytes, first_row, rows, stride, (step + 1) * Tile);
            copy_tile(b_tiles[(step + 1) % 2], codes, first_output, outputs, stride, (step + 1) * Tile);
        }
        copy_commit();
        copy_wait<1>();
        __syncthreads();
        const i8* a_tile = a_tiles[step % 2];
        const i8* b_tile = b_tiles[step % 2];
#pragma unroll
        for (int k = 0; k < Tile; k += 32) {
            u32 a[2][4], b[4][2];
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int r = 0; r < 4; r++)
                    a[m][r] = *reinterpret_cast<const u32*>(a_tile + (warp_row + m * 16 + g + 8 * (r % 2)) * TileStride + k + 16 * (r / 2) + 4 * t);
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int r = 0; r < 2; r++)
                    b[n][r] = *reinterpret_cast<const u32*>(b_tile + (warp_output + n * 8 + g) * TileStride + k + 16 * r + 4 * t);
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int n = 0; n < 4; n++)
                    mma_s8(sums[m][n], a[m], b[n]);
        }
        __syncthreads();                                       // the tile is written again two steps on
    }
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const i64 row = first_row + warp_row + m * 16 + g + 8 * half;
            if (row >= rows)
                continue;
            const float factor = __fdiv_rn(*weight_scale, scales[row]);
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    const int output = first_output + warp_output + n * 8 + 2 * t + i;
                    if (output >= outputs)
                        continue;
                    const float value = __fmul_rn(static_cast<float>(sums[m][n][2 * half + i]), factor);
                    y[row * outputs + output] = bias ? __fadd_rn(value, bias[output]) : value;
                }
        }
}

constexpr int Depth = 16;                // of a step of the products in float
constexpr int DepthStride = Depth + 4;   // 20 words, as above
constexpr int WidthStride = Tile + 8;

/// c[m, n] = Σ_k a(m, k) b[k, n] of this block's share of k: a is float, given with or without being transposed, b bytes.
/// Transposed, a(m, k) is a[k, m] over the k-th scale; else a[m, k].
template <bool Transposed>
__device__ void float_times_bytes(
    const float* a, const float* scales, const i8* b, const float* factor, float* c, i64 rows, int columns, i64 depth, i64 a_stride, int b_stride, i64 slice) {
    __shared__ float a_tile[Tile * DepthStride];
    __shared__ float b_tile[Depth * WidthStride];
    const i64 first_row = static_cast<i64>(blockIdx.y) * Tile, start = blockIdx.z * slice, end = start + slice < depth ? start + slice : depth;
    const int first_column = blockIdx.x * Tile;
    const int g = lane() / 4, t = lane() % 4, warp_row = warp() / 2 * 32, warp_column = warp() % 2 * 32;
    float sums[2][4][4] = {};
    for (i64 from = start; from < end; from += Depth) {
#pragma unroll
        for (int i = 0; i < Tile * Depth / ProductThreads; i++) {
            const int element = threadIdx.x + i * ProductThreads;
            const int row = Transposed ? element % Tile : element / Depth, k = Transposed ? element / Tile : element % Depth;
            const bool inside = first_row + row < rows && from + k < end;
            float value = 0;
            if (inside)
                value = Transposed ? a[(from + k) * a_stride + first_row + row] / scales[from + k] : a[(first_row + row) * a_stride + from + k];
            a_tile[row * DepthStride + k] = value;
        }
#pragma unroll
        for (int i = 0; i < Tile * Depth / ProductThreads; i++) {
            const int element = threadIdx.x + i * ProductThreads, k = element / Tile, column = element % Tile;
            const bool inside = from + k < end && first_column + column < columns;
            b_tile[k * WidthStride + column] = inside ? static_cast<float>(b[(from + k) * b_stride + first_column + column]) : 0;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < Depth; k += 8) {
            u32 high[2][4], low[2][4], bytes[4][2];
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    const float value = a_tile[(warp_row + m * 16 + g + 8 * (r % 2)) * DepthStride + k + 4 * (r / 2) + t];
                    high[m][r] = to_tf32(value);
                    low[m][r] = to_tf32(value - __uint_as_float(high[m][r]));
                }
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int r = 0; r < 2; r++)
                    bytes[n][r] = to_tf32(b_tile[(k + 4 * r + t) * WidthStride + warp_column + n * 8 + g]);
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    mma_tf32(sums[m][n], low[m], bytes[n]);
                    mma_tf32(sums[m][n], high[m], bytes[n]);
                }
        }
        __syncthreads();
    }
    const float times = factor ? *factor : 1;
    c += blockIdx.z * rows * columns;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const i64 row = first_row + warp_row + m * 16 + g + 8 * (i / 2);
                const int column = first_column + warp_column + n * 8 + 2 * t + i % 2;
                if (row < rows && column < columns)
                    c[row * columns + column] = sums[m][n][i] * times;
            }
}

/// ∂n = ∂y T · w_scale.
extern "C" __global__ void __launch_bounds__(ProductThreads) bitlinear_grad_normed(
    const float* grad_y, const i8* codes, const float* weight_scale, float* grad_normed, i64 rows, int inputs, int outputs, int stride) {
    float_times_bytes<false>(grad_y, nullptr, codes, weight_scale, grad_normed, rows, inputs, outputs, outputs, stride, outputs);
}

/// A slice's part of ∂w = ∂yᵀ (x_int8 / x_scale).
extern "C" __global__ void __launch_bounds__(ProductThreads) bitlinear_grad_weight(
    const float* grad_y, const float* scales, const i8* bytes, float* parts, i64 rows, int inputs, int outputs, int stride, i64 slice) {
    float_times_bytes<true>(grad_y, scales, bytes, nullptr, parts, outputs, inputs, rows, outputs, stride, slice);
}

/// The norm's backward, some rows a block: g = ∂n norm, ∂x = rate (g - x̂ mean(g x̂)); each block has its own part of ∂norm.
extern "C" __global__ void bitlinear_grad_rows(
    const float* x, const float* norm, const float* rates, const float* grad_normed, float* grad_x, float* parts, i64 rows, int rows_of_block, int inputs) {
    const i64 first = static_cast<i64>(blockIdx.x) * rows_of_block, end = first + rows_of_block < rows ? first + rows_of_block : rows;
    float* part = parts ? parts + static_cast<i64>(blockIdx.x) * inputs : nullptr;
    for (int d = threadIdx.x; part && d < inputs; d += Threads)
        part[d] = 0;
    for (i64 row = first; row < end; row++) {
        const i64 start = row * inputs;
        const float rate = rates[row];
        float product = 0;
        for (int d = threadIdx.x; d < inputs; d += Threads) {
            const float given = grad_normed[start + d], n = x[start + d] * rate;
            product = fmaf(given * norm[d], n, product);
            if (part)
                part[d] = fmaf(given, n, part[d]);
        }
        const float mean = block_sum<Threads>(product) / inputs;
        for (int d = threadIdx.x; grad_x && d < inputs; d += Threads)
            grad_x[start + d] = rate * (grad_normed[start + d] * norm[d] - x[start + d] * rate * mean);
    }
}

/// Sums of some rows' columns, a part a block: of ∂y for the bias.
extern "C" __global__ void bitlinear_column_parts(const float* values, float* parts, i64 rows, int rows_of_block, int columns) {
    const int column = blockIdx.x * Threads + threadIdx.x;
    if (column >= columns)
        return;
    const i64 first = static_cast<i64>(blockIdx.y) * rows_of_block, end = first + rows_of_block < rows ? first + rows_of_block : rows;
    float total = 0;
    for (i64 row = first; row < end; row++)
        total += values[row * columns + column];
    parts[static_cast<i64>(blockIdx.y) * columns + column] = total;
}

/// Parts added in order, a number a thread.
extern "C" __global__ void bitlinear_add_parts(const float* parts, float* target, int count, i64 size) {
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    if (i >= size)
        return;
    float total = 0;
    for (int part = 0; part < count; part++)
        total += parts[part * size + i];
    target[i] = total;
}
