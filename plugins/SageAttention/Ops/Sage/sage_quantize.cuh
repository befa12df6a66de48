// Means, integers and FP8 values. Arrays for attention lie as shared memory wants them: whole tiles of tokens one after the other, 16-byte chunks
// swapped within rows, so that a tile is copied as it is.
#pragma once
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr int Warps = Threads / WarpSize;
constexpr int TokensOfMean = 128;

/// Where chunk `chunk` of 16 bytes of a row lies in it: ldmatrix and groups of warps then meet no bank twice.
template <int RowBytes> __device__ __forceinline__ int swapped(int row, int chunk) { return RowBytes == 64 ? chunk ^ (row / 2 & 3) : chunk ^ (row & 7); }
__device__ __forceinline__ int swapped(int row_bytes, int row, int chunk) { return row_bytes == 64 ? chunk ^ (row / 2 & 3) : chunk ^ (row & 7); }

/// Numbers d, d + 1, … of a row; zeros beyond its end. Vector: all at once.
template <bool Vector> __device__ __forceinline__ float4 four(const float* x, int d, int dims) {
    if (Vector)
        return *reinterpret_cast<const float4*>(x + d);
    return make_float4(d < dims ? x[d] : 0, d + 1 < dims ? x[d + 1] : 0, d + 2 < dims ? x[d + 2] : 0, d + 3 < dims ? x[d + 3] : 0);
}

__device__ __forceinline__ float4 operator-(float4 a, float4 b) { return make_float4(a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w); }
__device__ __forceinline__ float4 operator*(float4 a, float b) { return make_float4(a.x * b, a.y * b, a.z * b, a.w * b); }

// ---- sums and extremes over tokens: pieces of them first, then all

struct Survey {
    double* sums;                       // [row, piece, dim]; null: none
    float *most, *least;
};

/// Of one piece of `piece` tokens. Four numbers of a token a thread; as many tokens at once as a block has room for.
template <bool Vector> __device__ __forceinline__ void survey(
    const float* x, Survey out, int tokens, int dims, int piece, int pieces, double* sums, float* most, float* least) {
    const int columns = (dims + 3) / 4, lanes = Threads / columns, d = threadIdx.x % columns * 4, mine = threadIdx.x / columns;
    const i64 row = blockIdx.y;
    const int first = blockIdx.x * piece, end = first + piece < tokens ? first + piece : tokens;
    x += row * tokens * dims;
    double sum[4] = {0, 0, 0, 0};
    float top[4], low[4];
    for (int i = 0; i < 4; i++) {
        top[i] = -infinity();
        low[i] = infinity();
    }
    if (mine < lanes) {
#pragma unroll 4
        for (int token = first + mine; token < end; token += lanes) {
            const float4 v = four<Vector>(x + static_cast<i64>(token) * dims, d, dims);
            const float each[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
            for (int i = 0; i < 4; i++) {
                if (out.sums)
                    sum[i] += each[i];
                if (out.most) {
                    top[i] = max_or_nan(top[i], each[i]);
                    low[i] = min_or_nan(low[i], each[i]);
                }
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sums[i * Threads + threadIdx.x] = sum[i];
        most[i * Threads + threadIdx.x] = top[i];
        least[i * Threads + threadIdx.x] = low[i];
    }
    __syncthreads();
    for (int at = threadIdx.x; at < dims; at += Threads) {
        const int from = at % 4 * Threads + at / 4;
        double all = 0;
        float above = -infinity(), below = infinity();
        for (int l = 0; l < lanes; l++) {
            all += sums[from + l * columns];
            above = max_or_nan(above, most[from + l * columns]);
            below = min_or_nan(below, least[from + l * columns]);
        }
        const i64 to = (row * pieces + blockIdx.x) * dims + at;
        if (out.sums)
            out.sums[to] = all;
        if (out.most) {
            out.most[to] = above;
            out.least[to] = below;
        }
    }
}

/// Of one array, or of two in the second half of the grid.
extern "C" __global__ void sage_survey(
    const float* x, double* sums, float* most, float* least, const float* x2, double* sums2, float* most2, float* least2, int tokens, int dims, int piece,
    int pieces, int is_vector) {
    __shared__ double shared_sums[Threads * 4];
    __shared__ float shared_most[Threads * 4], shared_least[Threads * 4];
    const Survey out = blockIdx.z ? Survey{sums2, most2, least2} : Survey{sums, most, least};
    if (is_vector)
        survey<true>(blockIdx.z ? x2 : x, out, tokens, dims, piece, pieces, shared_sums, shared_most, shared_least);
    else
        survey<false>(blockIdx.z ? x2 : x, out, tokens, dims, piece, pieces, shared_sums, shared_most, shared_least);
}

constexpr int FinishDims = 32;

/// Of all pieces of a row: means of keys in the first half of the grid; in the second those of values, and the scales of their channels: by the largest
/// distance from the mean, that of tokens that only pad included. A block has 32 dims of a row, and eight threads share the pieces of one.
extern "C" __global__ void sage_finish(
    const double* sums, float* means, int divisor, const double* value_sums, const float* most, const float* least, float* value_means, int value_divisor,
    float* factors, float* padded_scales, float* scales, int dims, int padded_dims, int pieces, int has_padding, float most_of_format) {
    __shared__ double parts[Threads];
    __shared__ float above[Threads], below[Threads];
    const i64 row = blockIdx.x;
    const int d = blockIdx.y * FinishDims + threadIdx.x % FinishDims, part = threadIdx.x / FinishDims;
    const bool of_values = blockIdx.z > 0, there = d < dims;
    const double* from = of_values ? value_sums : sums;
    double sum = 0;
    float top = -infinity(), low = infinity();
    for (int p = part; p < pieces && there; p += Threads / FinishDims) {
        const i64 at = (row * pieces + p) * dims + d;
        if (from)
            sum += from[at];
        if (of_values && most) {
            top = max_or_nan(top, most[at]);
            low = min_or_nan(low, least[at]);
        }
    }
    parts[threadIdx.x] = sum;
    above[threadIdx.x] = top;
    below[threadIdx.x] = low;
    __syncthreads();
    if (part > 0 || d >= padded_dims)
        return;
    for (int p = 1; p < Threads / FinishDims; p++) {
        sum += parts[p * FinishDims + threadIdx.x];
        top = max_or_nan(top, above[p * FinishDims + threadIdx.x]);
        low = min_or_nan(low, below[p * FinishDims + threadIdx.x]);
    }
    const float mean = from ? static_cast<float>(sum) / (of_values ? value_divisor : divisor) : 0;
    if (from && there)
        (of_values ? value_means : means)[row * dims + d] = mean;
    if (!of_values || !most)
        return;
    const float distance = max_or_nan(fabsf(top - mean), fabsf(low - mean));
    const float largest = !there ? 0 : from && has_padding ? max_or_nan(fabsf(mean), distance) : distance;
    if (scales && there)
        scales[row * dims + d] = largest / most_of_format;
    factors[row * padded_dims + d] = there ? most_of_format / largest : 0;
    padded_scales[row * padded_dims + d] = largest / most_of_format;
}

// ---- integers

struct Rule {
    float levels;
    int scale, half_to_even;            // 0 absmax / levels, 1 plus 1e-7, 2 the larger of absmax and 1e-7
};

/// From numbers of one group to integers.
struct Group {
    Rule rule;
    float scale, up, divisor, factor;

    __device__ __forceinline__ Group(Rule rule, float largest) : rule(rule) {
        const float most = rule.scale == 2 ? max_or_nan(largest, 1e-7f) : largest;
        scale = rule.scale == 1 ? most / rule.levels + 1e-7f : most / rule.levels;
        up = scale < 1e-28f ? 18446744073709551616.f : 1;       // 2^64, exact
        divisor = scale * up;
        factor = rule.scale == 2 ? rule.levels / most : 1 / divisor;
    }

    __device__ __forceinline__ int integer(float value) const {
        float scaled = value * factor;
        if (rule.scale != 2) {
            // The quotient to the last place, as a division has it: from the rounded inverse and the remainder.
            scaled = value * up * factor;
            scaled = fmaf(fmaf(-scaled, divisor, value * up), factor, scaled);
        }
        if (scaled != scaled)
            return 0;
        scaled = fminf(fmaxf(rule.half_to_even ? scaled : scaled + copysignf(0.5f, scaled), -rule.levels), rule.levels);
        return rule.half_to_even ? __float2int_rn(scaled) : static_cast<int>(scaled);
    }
};

/// Integers of one tile of tokens, which falls into one group, or into several by the token's number modulo 8: a warp's tokens are all of one.
/// For tiles of any size and heads of any width: reads twice.
extern "C" __global__ void sage_quantize(
    const float* x, const float* means, i8* integers, float* scales, u8* padded, float* token_scales, int tokens, int padded_tokens, int dims, int padded_dims,
    int mean_pieces, int tile, int period, int run, int group_count, float factor, float levels, int scale_rule, int half_to_even, float token_factor) {
    __shared__ float largest[Warps];
    const Rule rule = {levels, scale_rule, half_to_even};
    const i64 row = blockIdx.y;
    const int first = blockIdx.x * tile, end = first + tile < tokens ? first + tile : tokens, groups = period / run;
    const float* mean = means ? means + row * mean_pieces * dims : nullptr;
    x += row * tokens * dims;
    auto number = [&](int token, int d) {
        const float value = x[static_cast<i64>(token) * dims + d];
        return (mean ? value - mean[(mean_pieces > 1 ? token / TokensOfMean : 0) * dims + d] : value) * factor;
    };
    float mine = 0;
    for (int token = first + warp(); token < end; token += Warps) {
        for (int d = lane(); d < dims; d += WarpSize)
            mine = max_or_nan(mine, fabsf(number(token, d)));
    }
    mine = warp_max(mine);
    if (lane() == 0)
        largest[warp()] = mine;
    __syncthreads();
    const int group = warp() % period / run;
    float most = 0;
    for (int w = 0; w < Warps; w++) {
        if (w % period / run == group)
            most = max_or_nan(most, largest[w]);
    }
    const Group numbers(rule, most);
    const int at = blockIdx.x * groups + group;
    if (scales && lane() == 0 && warp() < period && warp() % run == 0 && at < group_count)
        scales[row * group_count + at] = numbers.scale;
    for (int token = first + warp(); token < padded_tokens && token < first + tile; token += Warps) {
        if (lane() == 0)
            token_scales[row * padded_tokens + token] = token < tokens ? numbers.scale * token_factor : 0;
        for (int d = lane(); d < padded_dims && token < tokens; d += WarpSize) {
            const int integer = d < dims ? numbers.integer(number(token, d)) : 0;
            padded[(row * padded_tokens + token) * padded_dims + swapped(padded_dims, token, d / 16) * 16 + d % 16] = static_cast<u8>(integer);
            if (integers && d < dims)
                integers[(row * tokens + token) * dims + d] = static_cast<i8>(integer);
        }
    }
}

/// The same for tiles of at most `Most` numbers of heads of 64 or 128, which stay in registers: eight tokens at once, so that a thread's are all of one group.
template <int Dims, int Most> __device__ __forceinline__ void quantize_tile(
    const float* x, const float* means, u32* integers, float* scales, u32* padded, float* token_scales, int tokens, int padded_tokens, int mean_pieces, int tile,
    int period, int run, int group_count, float factor, Rule rule, float token_factor) {
    constexpr int Columns = Dims / 4, Lanes = 8, Each = Most / (Lanes * Dims);
    __shared__ float largest[Lanes];
    const i64 row = blockIdx.y;
    const int first = blockIdx.x * tile, column = threadIdx.x % Columns, mine = threadIdx.x / Columns, groups = period / run, group = mine % period / run;
    const int end = first + tile < tokens ? first + tile : tokens;
    x += row * tokens * Dims;
    float4 v[Each];
    float most = 0;
#pragma unroll
    for (int i = 0; i < Each; i++) {
        const int token = first + mine + i * Lanes;
        v[i] = token < end ? four<true>(x + static_cast<i64>(token) * Dims, column * 4, Dims) : make_float4(0, 0, 0, 0);
    }
    if (means) {
        means += row * mean_pieces * Dims;
#pragma unroll
        for (int i = 0; i < Each; i++) {
            const int token = first + mine + i * Lanes;
            if (token < end)
                v[i] = v[i] - four<true>(means + (mean_pieces > 1 ? token / TokensOfMean : 0) * Dims, column * 4, Dims);
        }
    }
#pragma unroll
    for (int i = 0; i < Each; i++) {
        v[i] = v[i] * factor;
        most = max_or_nan(most, max_or_nan(max_or_nan(fabsf(v[i].x), fabsf(v[i].y)), max_or_nan(fabsf(v[i].z), fabsf(v[i].w))));
    }
#pragma unroll
    for (int distance = Columns / 2; distance > 0; distance /= 2)
        most = max_or_nan(most, __shfl_xor_sync(WholeWarp, most, distance));
    if (column == 0)
        largest[mine] = most;
    __syncthreads();
    most = 0;
#pragma unroll
    for (int l = 0; l < Lanes; l++)
        most = l % period / run == group ? max_or_nan(most, largest[l]) : most;
    const Group numbers(rule, most);
    const int at = blockIdx.x * groups + group;
    if (scales && column == 0 && mine < period && mine % run == 0 && at < group_count)
        scales[row * group_count + at] = numbers.scale;
#pragma unroll
    for (int i = 0; i < Each; i++) {
        const int token = first + mine + i * Lanes;
        if (token >= first + tile || token >= padded_tokens)
            continue;
        if (column == 0)
            token_scales[row * padded_tokens + token] = token < tokens ? numbers.scale * token_factor : 0;
        if (token >= tokens)
            continue;
        const u32 word = (numbers.integer(v[i].x) & 0xFF) | (numbers.integer(v[i].y) & 0xFF) << 8
            | (numbers.integer(v[i].z) & 0xFF) << 16 | static_cast<u32>(numbers.integer(v[i].w)) << 24;
        padded[(row * padded_tokens + token) * Columns + swapped<Dims>(token, column / 4) * 4 + column % 4] = word;
        if (integers)
            integers[(row * tokens + token) * Columns + column] = word;
    }
}

#define SAGE_QUANTIZE(name, dims, most) \
    extern "C" __global__ void __launch_bounds__(dims * 2) name( \
        const float* x, const float* means, u32* integers, float* scales, u32* padded, float* token_scales, int tokens, int padded_tokens, int mean_pieces, int tile, \
        int period, int run, int group_count, float factor, float levels, int scale_rule, int half_to_even, float token_factor) { \
        quantize_tile<dims, most>(x, means, integers, scales, padded, token_scales, tokens, padded_tokens, mean_pieces, tile, period, run, group_count, factor, \
            {levels, scale_rule, half_to_even}, token_factor); \
    }

SAGE_QUANTIZE(sage_quantize_64_32, 64, 64 * 32)
SAGE_QUANTIZE(sage_quantize_64_64, 64, 64 * 64)
SAGE_QUANTIZE(sage_quantize_64_128, 64, 64 * 128)
SAGE_QUANTIZE(sage_quantize_128_32, 128, 128 * 32)
SAGE_QUANTIZE(sage_quantize_128_64, 128, 128 * 64)
SAGE_QUANTIZE(sage_quantize_128_128, 128, 128 * 128)

// ---- values

/// Values in E4M3, a tile of `tile` tokens after the other, in it a row for each dim. Of 16 tokens, those that a thread holds after the first product lie
/// side by side: 0 1 8 9, 2 3 10 11, 4 5 12 13, 6 7 14 15.
template <int Dims, int Tile, bool Vector> __device__ __forceinline__ void values_e4m3(
    const float* v, const float* means, const float* factors, u32* tiles, float* values, int tokens, int padded_tokens, int dims, u32* out) {
    constexpr int Columns = Dims / 4, Words = Tile / 4, Lanes = Threads / Columns;
    const i64 row = blockIdx.y;
    const int first = blockIdx.x * Tile, d = threadIdx.x % Columns * 4;
    v += row * tokens * dims;
    float factor[4], mean[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        factor[i] = factors[row * Dims + d + i];
        mean[i] = means && d + i < dims ? means[row * dims + d + i] : 0;
    }
#pragma unroll 2
    for (int word = threadIdx.x / Columns; word < Words; word += Lanes) {
        const int token = first + word / 4 * 16 + word % 4 * 2;
        float4 four_of[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int at = token + i % 2 + i / 2 * 8;
            four_of[i] = at < tokens && d < dims ? four<Vector>(v + static_cast<i64>(at) * dims, d, dims) : make_float4(0, 0, 0, 0);
        }
        float each[4][4];                                       // [dim, token]
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int at = token + i % 2 + i / 2 * 8;
            const float numbers[4] = {four_of[i].x, four_of[i].y, four_of[i].z, four_of[i].w};
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const float scaled = at < tokens ? (numbers[c] - mean[c]) * factor[c] : 0;
                each[c][i] = scaled != scaled ? 0 : scaled;     // a channel of zeros
            }
        }
#pragma unroll
        for (int c = 0; c < 4; c++)
            out[(d + c) * Words + swapped<Tile>(d + c, word / 4) * 4 + word % 4] = pack_e4m3(each[c][0], each[c][1], each[c][2], each[c][3]);
        if (values) {
            for (int i = 0; i < 4; i++) {
                const int at = token + i % 2 + i / 2 * 8;
                for (int c = 0; c < 4; c++) {
                    if (at < tokens && d + c < dims)
                        values[(row * tokens + at) * dims + d + c] = to_float(from_float<e4m3>(each[c][i]));
                }
            }
        }
    }
    __syncthreads();
    uint4* to = reinterpret_cast<uint4*>(tiles + (row * padded_tokens + first) * (Dims / 4));
    for (int i = threadIdx.x; i < Dims * Words / 4; i += Threads)
        to[i] = reinterpret_cast<const uint4*>(out)[i];
}

#define SAGE_VALUES(name, dims, tile) \
    extern "C" __global__ void __launch_bounds__(Threads) name( \
        const float* v, const float* means, const float* factors, u32* tiles, float* values, int tokens, int padded_tokens, int dimensions, int is_vector) { \
        __shared__ __align__(16) u32 out[dims * tile / 4]; \
        if (is_vector) \
            values_e4m3<dims, tile, true>(v, means, factors, tiles, values, tokens, padded_tokens, dimensions, out); \
        else \
            values_e4m3<dims, tile, false>(v, means, factors, tiles, values, tokens, padded_tokens, dimensions, out); \
    }

SAGE_VALUES(sage_values_e4m3_64_64, 64, 64)
SAGE_VALUES(sage_values_e4m3_64_128, 64, 128)
SAGE_VALUES(sage_values_e4m3_128_64, 128, 64)
SAGE_VALUES(sage_values_e4m3_128_128, 128, 128)

/// Values of 16 bits, [token, dim], zero beyond the last dimension and token. A thread has a chunk of 8.
extern "C" __global__ void sage_values_16(
    const float* v, const float* means, uint4* values, int tokens, int padded_tokens, int dims, int padded_dims, int is_bf16) {
    const i64 row = blockIdx.y;
    const int chunks = padded_dims / 8;
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(padded_tokens) * chunks)
        return;
    const int token = static_cast<int>(i / chunks), chunk = static_cast<int>(i % chunks);
    u32 pairs[4];
#pragma unroll
    for (int p = 0; p < 4; p++) {
        float number[2];
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int d = chunk * 8 + p * 2 + j;
            number[j] = token < tokens && d < dims ? v[(row * tokens + token) * dims + d] - (means ? means[row * dims + d] : 0) : 0;
        }
        pairs[p] = is_bf16 ? pack_bf16(number[0], number[1]) : pack_fp16(number[0], number[1]);
    }
    values[(row * padded_tokens + token) * chunks + swapped(padded_dims * 2, token, chunk)] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

constexpr int CorrectionKeys = 64;
constexpr int CorrectionBlocks = 16;

/// What means of blocks of queries add to the scores of 64 keys: a product in float. A warp has a block of queries at a time, a lane two keys.
extern "C" __global__ void sage_correction(
    const float* query_means, const float* k, const float* key_means, float* padded, float* correction, int keys, int padded_keys, int heads, int key_heads,
    int dims, int blocks) {
    __shared__ float tile[CorrectionKeys * 129];
    const i64 row = blockIdx.z, key_row = row / heads * key_heads + row % heads / (heads / key_heads);
    const int first = blockIdx.x * CorrectionKeys, step = dims | 1;     // odd: no bank twice
    for (int i = threadIdx.x; i < CorrectionKeys * dims; i += Threads) {
        const int key = first + i / dims, d = i % dims;
        tile[i / dims * step + d] = key < keys ? k[(key_row * keys + key) * dims + d] - (key_means ? key_means[key_row * dims + d] : 0) : 0;
    }
    __syncthreads();
    const int end = (blockIdx.y + 1) * CorrectionBlocks < blocks ? (blockIdx.y + 1) * CorrectionBlocks : blocks;
    for (int block = blockIdx.y * CorrectionBlocks + warp(); block < end; block += Warps) {
        const float* mean = query_means + (row * blocks + block) * dims;
        const float* mine = tile + lane() * step;
        float sum[2] = {0, 0};
#pragma unroll 4
        for (int d = 0; d < dims; d++) {
            const float m = __ldg(mean + d);
            sum[0] = fmaf(m, mine[d], sum[0]);
            sum[1] = fmaf(m, mine[WarpSize * step + d], sum[1]);
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const int key = first + i * WarpSize + lane();
            padded[(row * blocks + block) * padded_keys + key] = sum[i];
            if (correction && key < keys)
                correction[(row * blocks + block) * keys + key] = sum[i];
        }
    }
}
