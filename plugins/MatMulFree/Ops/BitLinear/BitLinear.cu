// The ternary layer: RMS norm, rounding to 8 bits a row, rounding of weights to -1, 0, 1, and the product in whole numbers on the tensor cores
// (README.md). Rounded rows and codes lie in scratch memory, a byte a number, `stride` bytes a row: a multiple of 64, filled up with zeros.
// Backward rounds again, to floats that hold whole numbers: as the second factor of product.cuh they need no splitting.
#include "product.cuh"
#include "RoundedRows.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr float Smallest = rounded::Smallest;

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

__device__ __forceinline__ i8 code_of(float weight, float scale) {
    const float ratio = __fdiv_rn(weight, scale);
    return ratio > 0.5f ? 1 : ratio < -0.5f ? -1 : 0;
}

/// Writes bytes 4 i to 4 i + 3 of a row of `count`, at once where rows begin at words.
__device__ __forceinline__ void put_bytes(i8* row, int i, u32 word, int count) {
    if (count % 4 == 0 && reinterpret_cast<u64>(row) % 4 == 0) {
        if (4 * i < count)
            *reinterpret_cast<u32*>(row + 4 * i) = word;
        return;
    }
#pragma unroll
    for (int e = 0; e < 4; e++) {
        if (4 * i + e < count)
            row[4 * i + e] = static_cast<i8>(word >> (8 * e));
    }
}

/// Codes -1, 0 or 1 by the quotient, halves to zero. A block a row, a thread four codes. `ternary`, without filling up, may be null.
extern "C" __global__ void __launch_bounds__(Threads) bitlinear_weight_codes(
    const float* weight, const float* scale, i8* codes, i8* ternary, int inputs, int stride) {
    const i64 row = blockIdx.x;
    const float w_scale = *scale;
    weight += row * inputs;
    u32* const words = reinterpret_cast<u32*>(codes + row * stride);
    const bool wide = (reinterpret_cast<u64>(weight) | static_cast<u64>(inputs) * sizeof(float)) % 16 == 0;
    for (int i = threadIdx.x; i < stride / 4; i += Threads) {
        u32 word = 0;
        if (4 * i < inputs) {
            const rounded::Four values = rounded::four(weight, i, inputs, wide);
#pragma unroll
            for (int e = 0; e < 4; e++)
                word |= (static_cast<u32>(code_of(values.at[e], w_scale)) & 0xFF) << (8 * e);
            if (ternary)
                put_bytes(ternary + row * inputs, i, word, inputs);
        }
        words[i] = word;
    }
}

/// The same codes as floats, without filling up.
extern "C" __global__ void __launch_bounds__(Threads) bitlinear_weight_values(const float* weight, const float* scale, float* values, i64 count) {
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    if (i < count)
        values[i] = code_of(weight[i], *scale);
}

/// A block a row: bytes = round(n x_scale). `integers`, without filling up, may be null.
extern "C" __global__ void __launch_bounds__(Threads) bitlinear_rows(
    const float* x, const float* norm, i8* bytes, i8* integers, float* scales, int inputs, int stride, float epsilon) {
    const i64 row = blockIdx.x;
    u32* const words = reinterpret_cast<u32*>(bytes + row * stride);
    const rounded::Scales made = rounded::round_row(x + row * inputs, norm, inputs, stride / 4, epsilon, [&](int i, u32 word) {
        words[i] = word;
        if (integers)
            put_bytes(integers + row * inputs, i, word, inputs);
    });
    if (threadIdx.x == 0)
        scales[row] = made.scale;
}

/// The same for backward: whole numbers as floats, without filling up, the rates, and 1 / x_scale.
extern "C" __global__ void __launch_bounds__(Threads) bitlinear_row_values(
    const float* x, const float* norm, float* values, float* rates, float* inverses, int inputs, float epsilon) {
    const i64 row = blockIdx.x;
    float* const to = values + row * inputs;
    const rounded::Scales made = rounded::round_row(x + row * inputs, norm, inputs, (inputs + 3) / 4, epsilon, [&](int i, u32 word) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            if (4 * i + e < inputs)
                to[4 * i + e] = static_cast<i8>(word >> (8 * e));
        }
    });
    if (threadIdx.x == 0) {
        rates[row] = made.rate;
        inverses[row] = 1 / made.scale;
    }
}

constexpr int Depth = 64;                // bytes of a step
constexpr int DepthStride = Depth + 16;  // 20 words: the rows of a fragment meet every bank once
constexpr int Stages = 3;

/// Copies rows of 64 bytes into shared memory; rows beyond `rows` become zero.
template <int Rows, int ProductThreads> __device__ __forceinline__ void copy_tile(i8* shared, const i8* global, i64 first, i64 rows, int stride, int at) {
#pragma unroll
    for (int i = 0; i < Rows * 4 / ProductThreads; i++) {
        const int piece = threadIdx.x + i * ProductThreads, row = piece / 4, column = piece % 4 * 16;
        const bool inside = first + row < rows;
        copy_async_16(shared + row * DepthStride + column, global + (inside ? first + row : 0) * stride + at + column, inside ? 16 : 0);
    }
}

/// y = sums · (w_scale / x_scale) + bias. Tiles as product.cuh's; two steps are on their way while one is multiplied.
template <class Plan>
__device__ void whole_product(
    const i8* bytes, const i8* codes, const float* scales, const float* weight_scale, const float* bias, float* y, int rows, int outputs, int stride) {
    constexpr int StageBytes = (Plan::Rows + Plan::Columns) * DepthStride, M = Plan::Fragments, N = Plan::ColumnFragments;
    i8* const shared = dynamic_shared<i8>();
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (outputs + Plan::Columns - 1) / Plan::Columns);
    const int first_row = tile.row * Plan::Rows, first_output = tile.column * Plan::Columns, own = threadIdx.x / WarpSize;
    const int warp_row = own / Plan::WarpsAcross * Plan::RowsOfWarp, warp_output = own % Plan::WarpsAcross * Plan::ColumnsOfWarp;
    const bool needed = first_row + warp_row < rows && first_output + warp_output < outputs;
    int sums[M][N][4] = {};
    const int steps = stride / Depth;
    const auto ask = [&](int step) {
        if (step < steps) {
            i8* const to = shared + step % Stages * StageBytes;
            copy_tile<Plan::Rows, Plan::Threads>(to, bytes, first_row, rows, stride, step * Depth);
            copy_tile<Plan::Columns, Plan::Threads>(to + Plan::Rows * DepthStride, codes, first_output, outputs, stride, step * Depth);
        }
        copy_commit();
    };
#pragma unroll
    for (int step = 0; step < Stages - 1; step++)
        ask(step);
    for (int step = 0; step < steps; step++) {
        copy_wait<Stages - 2>();
        __syncthreads();
        ask(step + Stages - 1);
        if (!needed)
            continue;
        const i8* const a_tile = shared + step % Stages * StageBytes + (warp_row + lane() % 16) * DepthStride + lane() / 16 * 16;
        const i8* const b_tile = shared + step % Stages * StageBytes + (Plan::Rows + warp_output + lane() % 8 + lane() / 16 * 8) * DepthStride + lane() / 8 % 2 * 16;
#pragma unroll
        for (int k = 0; k < Depth; k += 32) {
            u32 b[N / 2][4];
#pragma unroll
            for (int n = 0; n < N / 2; n++)
                load_matrix(b[n], b_tile + n * 16 * DepthStride + k);
#pragma unroll
            for (int m = 0; m < M; m++) {
                u32 a[4];
                load_matrix(a, a_tile + m * 16 * DepthStride + k);
#pragma unroll
                for (int n = 0; n < N; n++) {
                    const u32 columns[2] = {b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]};
                    mma_s8(sums[m][n], a, columns);
                }
            }
        }
    }
    const float w_scale = *weight_scale;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int row = first_row + warp_row + m * 16 + fragment_row(2 * half);
            if (row >= rows)
                continue;
            const float factor = __fdiv_rn(w_scale, scales[row]);
            float* const to = y + static_cast<i64>(row) * outputs;
            const bool pairs = reinterpret_cast<u64>(to) % 8 == 0;
#pragma unroll
            for (int n = 0; n < N; n++) {
                const int output = first_output + warp_output + n * 8 + fragment_column(0);
                Pair values = {__fmul_rn(static_cast<float>(sums[m][n][2 * half]), factor), __fmul_rn(static_cast<float>(sums[m][n][2 * half + 1]), factor)};
                if (bias && output < outputs)
                    values.first = __fadd_rn(values.first, bias[output]);
                if (bias && output + 1 < outputs)
                    values.second = __fadd_rn(values.second, bias[output + 1]);
                if (pairs && output + 1 < outputs) {
                    *reinterpret_cast<Pair*>(to + output) = values;
                } else {
                    if (output < outputs)
                        to[output] = values.first;
                    if (output + 1 < outputs)
                        to[output + 1] = values.second;
                }
            }
        }
    }
}

using Large = LargeProduct;
using Small = SmallProduct;

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) bitlinear_product_large(
    const i8* bytes, const i8* codes, const float* scales, const float* weight_scale, const float* bias, float* y, int rows, int outputs, int stride) {
    whole_product<Large>(bytes, codes, scales, weight_scale, bias, y, rows, outputs, stride);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) bitlinear_product_small(
    const i8* bytes, const i8* codes, const float* scales, const float* weight_scale, const float* bias, float* y, int rows, int outputs, int stride) {
    whole_product<Small>(bytes, codes, scales, weight_scale, bias, y, rows, outputs, stride);
}

/// ∂n = ∂y T · w_scale.
template <class Plan>
__device__ void grad_normed_of(const float* grad_y, const float* codes, const float* weight_scale, float* grad_normed, int rows, int inputs, int outputs) {
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (inputs + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> sums;
    product<Plan, true, false, true>(sums, {grad_y, outputs, rows}, {codes, inputs, inputs}, tile, 0, outputs);
    const float times = *weight_scale;
    sums.each_row([&](int row, auto sum) {
        if (row >= rows)
            return;
#pragma unroll
        for (int c = 0; c < sum.Count; c++)
            sum[c] *= times;
        sum.store(grad_normed + static_cast<i64>(row) * inputs, inputs);
    });
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) bitlinear_grad_normed_large(
    const float* grad_y, const float* codes, const float* weight_scale, float* grad_normed, int rows, int inputs, int outputs) {
    grad_normed_of<Large>(grad_y, codes, weight_scale, grad_normed, rows, inputs, outputs);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) bitlinear_grad_normed_small(
    const float* grad_y, const float* codes, const float* weight_scale, float* grad_normed, int rows, int inputs, int outputs) {
    grad_normed_of<Small>(grad_y, codes, weight_scale, grad_normed, rows, inputs, outputs);
}

/// A slice's part of ∂w = ∂yᵀ (x_int8 / x_scale).
template <class Plan>
__device__ void grad_weight_of(const float* grad_y, const float* inverses, const float* values, float* parts, int rows, int inputs, int outputs, int slice) {
    const ProductTile tile((outputs + Plan::Rows - 1) / Plan::Rows, (inputs + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> sums;
    const int begin = blockIdx.y * slice;
    product<Plan, false, false, true>(sums, {grad_y, outputs, outputs, inverses}, {values, inputs, inputs}, tile, begin, min(rows, begin + slice));
    parts += static_cast<i64>(blockIdx.y) * outputs * inputs;
    sums.each_row([&](int row, auto sum) {
        if (row < outputs)
            sum.store(parts + static_cast<i64>(row) * inputs, inputs);
    });
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) bitlinear_grad_weight_large(
    const float* grad_y, const float* inverses, const float* values, float* parts, int rows, int inputs, int outputs, int slice) {
    grad_weight_of<Large>(grad_y, inverses, values, parts, rows, inputs, outputs, slice);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) bitlinear_grad_weight_small(
    const float* grad_y, const float* inverses, const float* values, float* parts, int rows, int inputs, int outputs, int slice) {
    grad_weight_of<Small>(grad_y, inverses, values, parts, rows, inputs, outputs, slice);
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
