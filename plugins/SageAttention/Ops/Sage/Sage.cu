// Quantised attention (README.md): means, integers and FP8 values, then attention on them by tensor cores.
//
// A block of attention has 128 queries of a head, four warps 32 each. Tiles of 64 keys and values come by cp.async, one ahead; rows lie in
// shared memory with their 16-byte chunks swapped by the row's number, so that ldmatrix meets no bank twice. Scores are s8 products; the softmax runs in
// registers; weights go from the layout of a result to that of a factor without a shuffle, in FP8 because values are stored with their tokens in that order.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;                // of the kernels that quantise
constexpr int Warps = Threads / WarpSize;
constexpr int TokensOfMean = 128;

/// Means of `per_block` tokens each, or of all: one block of threads a piece, in double, for sums of any length.
extern "C" __global__ void sage_mean(const float* x, float* means, int tokens, int dims, int per_block, int pieces, int divisor) {
    __shared__ double parts[Threads];
    const i64 row = blockIdx.y;
    const int first = blockIdx.x * per_block, end = first + per_block < tokens ? first + per_block : tokens;
    x += row * tokens * dims;
    means += (row * pieces + blockIdx.x) * dims;
    for (int from = 0; from < dims; from += WarpSize) {
        const int d = from + threadIdx.x % WarpSize;
        double sum = 0;
        for (int token = first + threadIdx.x / WarpSize; token < end && d < dims; token += Warps)
            sum += x[static_cast<i64>(token) * dims + d];
        parts[threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.x < WarpSize && d < dims) {
            for (int w = 1; w < Warps; w++)
                sum += parts[w * WarpSize + threadIdx.x];
            means[d] = static_cast<float>(sum) / divisor;
        }
        __syncthreads();
    }
}

/// Integers of one tile of tokens, which falls into one group, or into several by the token's number modulo 8: a warp's tokens are all of one.
extern "C" __global__ void sage_quantize(
    const float* x, const float* means, i8* integers, float* scales, i8* padded, float* token_scales, int tokens, int padded_tokens, int dims, int padded_dims,
    int mean_pieces, int tile, int period, int run, int group_count, float factor, float levels, int rule, int half_to_even, float token_factor) {
    __shared__ float largest[Warps];
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
    if (rule == 2)
        most = max_or_nan(most, 1e-7f);
    float scale = most / levels;
    if (rule == 1)
        scale += 1e-7f;
    const float inverse = levels / most;
    const int at = blockIdx.x * groups + group;
    if (scales && lane() == 0 && warp() < period && warp() % run == 0 && at < group_count)
        scales[row * group_count + at] = scale;
    for (int token = first + warp(); token < end; token += Warps) {
        const i64 line = row * tokens + token;
        if (lane() == 0)
            token_scales[row * padded_tokens + token] = scale * token_factor;
        for (int d = lane(); d < padded_dims; d += WarpSize) {
            float scaled = 0;
            if (d < dims) {
                const float value = number(token, d);
                scaled = rule == 2 ? value * inverse : value / scale;
                scaled = half_to_even ? rintf(scaled) : truncf(scaled + (scaled > 0 ? 0.5f : scaled < 0 ? -0.5f : 0.f));
                scaled = scaled != scaled ? 0 : fminf(fmaxf(scaled, -levels), levels);
            }
            const i8 integer = static_cast<i8>(static_cast<int>(scaled));
            padded[line * padded_dims + d] = integer;
            if (integers && d < dims)
                integers[line * dims + d] = integer;
        }
    }
}

constexpr int Channels = 32;
constexpr int TileKeys = 64;
constexpr int ValueRow = Channels + 1;

/// Values in E4M3 with a scale for each of 32 channels, transposed, [dim, token]; of 16 tokens, those that a thread holds after the first product
/// lie side by side: 0 1 8 9, 2 3 10 11, 4 5 12 13, 6 7 14 15.
extern "C" __global__ void sage_values_e4m3(
    const float* v, const float* means, u32* transposed, float* values, float* scales, float* scale_scratch, int tokens, int padded_tokens, int dims,
    int padded_dims, float most_of_format) {
    __shared__ float parts[Threads];
    __shared__ float tile[TileKeys * ValueRow];
    const i64 row = blockIdx.y;
    const int d = blockIdx.x * Channels + threadIdx.x % Channels, part = threadIdx.x / Channels;
    const bool there = d < dims;
    const float mean = means && there ? means[row * dims + d] : 0;
    v += row * tokens * dims;
    float largest = means && tokens % 16 ? fabsf(mean) : 0;         // of the tokens that pad: 0 - mean
    for (int token = part; token < tokens && there; token += Threads / Channels)
        largest = max_or_nan(largest, fabsf(v[static_cast<i64>(token) * dims + d] - mean));
    parts[threadIdx.x] = largest;
    __syncthreads();
    for (int p = 0; p < Threads / Channels; p++)
        largest = max_or_nan(largest, parts[p * Channels + threadIdx.x % Channels]);
    const float factor = most_of_format / largest;
    if (part == 0 && d < padded_dims) {
        scale_scratch[row * padded_dims + d] = there ? largest / most_of_format : 0;
        if (scales && there)
            scales[row * dims + d] = largest / most_of_format;
    }
    for (int first = 0; first < padded_tokens; first += TileKeys) {
        __syncthreads();
        for (int i = part; i < TileKeys; i += Threads / Channels) {
            const int token = first + i;
            float scaled = 0;
            if (token < tokens && there) {
                scaled = (v[static_cast<i64>(token) * dims + d] - mean) * factor;
                scaled = scaled != scaled ? 0 : to_float(from_float<e4m3>(scaled));
                if (values)
                    values[(row * tokens + token) * dims + d] = scaled;
            }
            tile[i * ValueRow + threadIdx.x % Channels] = scaled;
        }
        __syncthreads();
        for (int i = threadIdx.x; i < Channels * TileKeys / 4; i += Threads) {
            const int channel = i / (TileKeys / 4), word = i % (TileKeys / 4), token = word / 4 * 16 + word % 4 * 2;
            const float* at = tile + token * ValueRow + channel;
            if (blockIdx.x * Channels + channel < padded_dims) {
                transposed[((row * padded_dims + blockIdx.x * Channels + channel) * padded_tokens + first) / 4 + word] =
                    pack_e4m3(at[0], at[ValueRow], at[8 * ValueRow], at[9 * ValueRow]);
            }
        }
    }
}

/// Values of 16 bits, [token, dim], zero beyond the last dimension.
extern "C" __global__ void sage_values_16(
    const float* v, const float* means, u32* values, int tokens, int dims, int padded_dims, int is_bf16) {
    const i64 row = blockIdx.y;
    const int pairs = padded_dims / 2;
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(tokens) * pairs)
        return;
    const int token = static_cast<int>(i / pairs), d = static_cast<int>(i % pairs) * 2;
    auto number = [&](int at) {
        return at >= dims ? 0.f : v[(row * tokens + token) * dims + at] - (means ? means[row * dims + at] : 0);
    };
    values[row * tokens * pairs + i] = is_bf16 ? pack_bf16(number(d), number(d + 1)) : pack_fp16(number(d), number(d + 1));
}

/// What the mean of a block of queries adds to the score of each key. A warp has a key at a time.
extern "C" __global__ void sage_correction(
    const float* query_means, const float* k, const float* key_means, float* padded, float* correction, int keys, int padded_keys, int heads, int key_heads,
    int dims, int blocks) {
    const i64 row = blockIdx.z, key_row = row / heads * key_heads + row % heads / (heads / key_heads);
    const float* mean = query_means + (row * blocks + blockIdx.y) * dims;
    for (int i = warp(); i < TileKeys; i += Warps) {
        const int key = blockIdx.x * TileKeys + i;
        float sum = 0;
        for (int d = lane(); d < dims && key < keys; d += WarpSize)
            sum = fmaf(mean[d], k[(key_row * keys + key) * dims + d] - (key_means ? key_means[key_row * dims + d] : 0), sum);
        sum = warp_sum(sum);
        if (lane() == 0) {
            padded[(row * blocks + blockIdx.y) * padded_keys + key] = sum;
            if (correction && key < keys)
                correction[(row * blocks + blockIdx.y) * keys + key] = sum;
        }
    }
}

// ---- attention

constexpr int AttentionWarps = 4;
constexpr int AttentionThreads = AttentionWarps * WarpSize;
constexpr int RowTiles = 2;                                     // of 16 queries a warp
constexpr int TileQueries = AttentionWarps * RowTiles * 16;
constexpr float Log2Of448 = 8.807355f;

/// In what the second product's factors are.
enum class Kind { E4M3, Fp16, Bf16 };

/// Where chunk `chunk` of 16 bytes of a row lies, in bytes.
template <int RowBytes> __device__ __forceinline__ int place(int row, int chunk) {
    return row * RowBytes + (RowBytes == 64 ? chunk ^ (row / 2 & 3) : chunk ^ (row & 7)) * 16;
}

/// Asks for rows first… of `RowBytes` bytes, of an array whose rows begin `step` bytes apart; rows from `end` on are zero.
template <int Rows, int RowBytes> __device__ __forceinline__ void load_rows(u8* shared, const u8* source, i64 step, int first, int end) {
    constexpr int Chunks = RowBytes / 16;
#pragma unroll
    for (int i = threadIdx.x; i < Rows * Chunks; i += AttentionThreads) {
        const int row = i / Chunks, chunk = i % Chunks;
        const bool there = first + row < end;
        copy_async_16(shared + place<RowBytes>(row, chunk), there ? source + (first + row) * step + chunk * 16 : source, there ? 16 : 0);
    }
}

template <Kind Product, int Dims> struct Layout {
    static constexpr bool Bytes = Product == Kind::E4M3;
    static constexpr int ValueRows = Bytes ? Dims : TileKeys;
    static constexpr int ValueRowBytes = Bytes ? TileKeys : Dims * 2;
    static constexpr int QueryBytes = TileQueries * Dims, KeyBytes = TileKeys * Dims, ValueBytes = ValueRows * ValueRowBytes;
    static constexpr int StageBytes = KeyBytes + ValueBytes + 2 * TileKeys * 4;
    static constexpr int SharedBytes = QueryBytes + 2 * StageBytes;
};

struct Call {
    const u8 *q, *k, *v;
    const float *query_scales, *key_scales, *correction, *value_scales, *value_means;
    float* o;
    int queries, keys, padded_keys, heads, key_heads, dims, blocks, causal;
    float correction_factor;
};

template <Kind Product, int Dims> __device__ __forceinline__ void attend(const Call& call) {
    using Sizes = Layout<Product, Dims>;
    constexpr int Steps = Dims / 32, KeyTiles = TileKeys / 8, DimTiles = Dims / 8;
    u8* shared = dynamic_shared<u8>();
    const int block = gridDim.x - 1 - blockIdx.x;               // the longest first
    const i64 row = blockIdx.y, key_row = row / call.heads * call.key_heads + row % call.heads / (call.heads / call.key_heads);
    const int first = block * TileQueries, g = lane() / 4, t = lane() % 4;
    const int shift = call.keys - call.queries;
    const int last = (first + TileQueries < call.queries ? first + TileQueries : call.queries) - 1;
    const int seen = call.causal ? last + shift + 1 : call.keys, tiles = seen > 0 ? (seen + TileKeys - 1) / TileKeys : 0;
    const u8 *k = call.k + key_row * call.keys * Dims;
    const u8 *v = call.v + key_row * (Sizes::Bytes ? static_cast<i64>(Dims) * call.padded_keys : static_cast<i64>(call.keys) * Dims * 2);
    const float* key_scales = call.key_scales + key_row * call.padded_keys;
    const float* correction = call.correction ? call.correction + (row * call.blocks + block) * call.padded_keys : nullptr;

    auto load = [&](int tile) {
        u8* stage = shared + Sizes::QueryBytes + tile % 2 * Sizes::StageBytes;
        load_rows<TileKeys, Dims>(stage, k, Dims, tile * TileKeys, call.keys);
        if (Sizes::Bytes)
            load_rows<Sizes::ValueRows, Sizes::ValueRowBytes>(stage + Sizes::KeyBytes, v + tile * TileKeys, call.padded_keys, 0, Dims);
        else
            load_rows<Sizes::ValueRows, Sizes::ValueRowBytes>(stage + Sizes::KeyBytes, v, Dims * 2, tile * TileKeys, call.keys);
        u8* factors = stage + Sizes::KeyBytes + Sizes::ValueBytes;
        if (threadIdx.x < TileKeys / 4)
            copy_async_16(factors + threadIdx.x * 16, key_scales + tile * TileKeys + threadIdx.x * 4);
        else if (threadIdx.x < TileKeys / 2 && correction)
            copy_async_16(factors + threadIdx.x * 16, correction + tile * TileKeys + threadIdx.x * 4 - TileKeys);
        copy_commit();
    };

    float sums[RowTiles][DimTiles][4], largest[RowTiles][2], total[RowTiles][2], query_scale[RowTiles][2];
#pragma unroll
    for (int m = 0; m < RowTiles; m++) {
#pragma unroll
        for (int j = 0; j < DimTiles; j++) {
#pragma unroll
            for (int i = 0; i < 4; i++)
                sums[m][j][i] = 0;
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int query = first + (warp() * RowTiles + m) * 16 + half * 8 + g;
            largest[m][half] = -infinity();
            total[m][half] = 0;
            query_scale[m][half] = query < call.queries ? call.query_scales[row * call.queries + query] : 0;
        }
    }
    if (tiles > 0) {
        load_rows<TileQueries, Dims>(shared, call.q + row * call.queries * Dims, Dims, first, call.queries);
        load(0);
    }
    for (int tile = 0; tile < tiles; tile++) {
        copy_wait<0>();
        __syncthreads();                                        // this tile is there for all, and all are done with the one before
        if (tile + 1 < tiles)
            load(tile + 1);
        const u8* stage = shared + Sizes::QueryBytes + tile % 2 * Sizes::StageBytes;
        const u8* values = stage + Sizes::KeyBytes;
        const float* factors = reinterpret_cast<const float*>(values + Sizes::ValueBytes);

        int products[RowTiles][KeyTiles][4];
#pragma unroll
        for (int m = 0; m < RowTiles; m++) {
#pragma unroll
            for (int n = 0; n < KeyTiles; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    products[m][n][i] = 0;
            }
        }
#pragma unroll
        for (int step = 0; step < Steps; step++) {
            u32 a[RowTiles][4];
#pragma unroll
            for (int m = 0; m < RowTiles; m++)
                load_matrix(a[m], shared + place<Dims>((warp() * RowTiles + m) * 16 + lane() % 16, step * 2 + lane() / 16));
#pragma unroll
            for (int n = 0; n < KeyTiles; n += 2) {
                u32 b[4];
                load_matrix(b, stage + place<Dims>(n * 8 + lane() % 8 + lane() / 16 * 8, step * 2 + lane() / 8 % 2));
                const u32 b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
#pragma unroll
                for (int m = 0; m < RowTiles; m++) {
                    mma_s8(products[m][n], a[m], b0);
                    mma_s8(products[m][n + 1], a[m], b1);
                }
            }
        }

        const int from = tile * TileKeys;
        const bool whole = from + TileKeys <= call.keys && (!call.causal || from + TileKeys - 1 <= first + shift);
        u32 weights[RowTiles][KeyTiles][2];                      // two rows of 16-bit pairs, or the two halves of a word of bytes
        float shrink[RowTiles][2];
#pragma unroll
        for (int m = 0; m < RowTiles; m++) {
            float scores[KeyTiles][4], top[2] = {largest[m][0], largest[m][1]};
#pragma unroll
            for (int n = 0; n < KeyTiles; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int half = i / 2, column = n * 8 + t * 2 + i % 2;
                    float score = static_cast<float>(products[m][n][i]) * query_scale[m][half] * factors[column];
                    if (correction)
                        score = fmaf(factors[TileKeys + column], call.correction_factor, score);
                    if (!whole) {
                        const int query = first + (warp() * RowTiles + m) * 16 + half * 8 + g, key = from + column;
                        if (key >= call.keys || (call.causal && key > query + shift))
                            score = -infinity();
                    }
                    scores[n][i] = score;
                    top[half] = max_or_nan(top[half], score);
                }
            }
#pragma unroll
            for (int half = 0; half < 2; half++) {
                top[half] = max_or_nan(top[half], __shfl_xor_sync(WholeWarp, top[half], 1));
                top[half] = max_or_nan(top[half], __shfl_xor_sync(WholeWarp, top[half], 2));
                const float base = top[half] == -infinity() ? 0 : top[half];
                shrink[m][half] = fast_exp2(largest[m][half] - base);
                total[m][half] *= shrink[m][half];
                largest[m][half] = top[half];
                top[half] = Sizes::Bytes ? base - Log2Of448 : base;     // FP8 weights are 448 times as large, and so is their sum
            }
#pragma unroll
            for (int n = 0; n < KeyTiles; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    scores[n][i] = fast_exp2(scores[n][i] - top[i / 2]);
                    total[m][i / 2] += scores[n][i];
                }
            }
#pragma unroll
            for (int n = 0; n < KeyTiles; n++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    if (Product == Kind::Bf16)
                        weights[m][n][half] = pack_bf16(scores[n][2 * half], scores[n][2 * half + 1]);
                    else if (Product == Kind::Fp16)
                        weights[m][n][half] = pack_fp16(scores[n][2 * half], scores[n][2 * half + 1]);
                    else if (n % 2 == 0)
                        weights[m][n][half] = pack_e4m3(scores[n][2 * half], scores[n][2 * half + 1], scores[n + 1][2 * half], scores[n + 1][2 * half + 1]);
                }
            }
        }

        // The tile's sum first by itself, then added in float: sums of FP8 have fewer bits in tensor cores (two levels, paper section 3.4).
#pragma unroll
        for (int j = 0; j < DimTiles; j++) {
            float added[RowTiles][4];
#pragma unroll
            for (int m = 0; m < RowTiles; m++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    added[m][i] = 0;
            }
            if (Product == Kind::E4M3) {
                u32 b[4];
                load_matrix(b, values + place<Sizes::ValueRowBytes>(j * 8 + lane() % 8, lane() / 8));
#pragma unroll
                for (int step = 0; step < 2; step++) {
                    const u32 half[2] = {b[step * 2], b[step * 2 + 1]};
#pragma unroll
                    for (int m = 0; m < RowTiles; m++) {
                        const u32 a[4] = {weights[m][step * 4][0], weights[m][step * 4][1], weights[m][step * 4 + 2][0], weights[m][step * 4 + 2][1]};
#if __CUDA_ARCH__ >= 890
                        mma_e4m3(added[m], a, half);
#endif
                    }
                }
            } else {
#pragma unroll
                for (int pair = 0; pair < 2; pair++) {
                    u32 b[4];
                    load_matrix_transposed(b, values + place<Sizes::ValueRowBytes>(pair * 32 + lane(), j));
#pragma unroll
                    for (int step = 0; step < 2; step++) {
                        const u32 half[2] = {b[step * 2], b[step * 2 + 1]};
                        const int n = pair * 4 + step * 2;
#pragma unroll
                        for (int m = 0; m < RowTiles; m++) {
                            const u32 a[4] = {weights[m][n][0], weights[m][n][1], weights[m][n + 1][0], weights[m][n + 1][1]};
                            if (Product == Kind::Bf16)
                                mma_bf16(added[m], a, half);
                            else
                                mma_fp16(added[m], a, half);
                        }
                    }
                }
            }
#pragma unroll
            for (int m = 0; m < RowTiles; m++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    sums[m][j][i] = fmaf(sums[m][j][i], shrink[m][i / 2], added[m][i]);
            }
        }
    }

#pragma unroll
    for (int m = 0; m < RowTiles; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float sum = total[m][half];
            sum += __shfl_xor_sync(WholeWarp, sum, 1);
            sum += __shfl_xor_sync(WholeWarp, sum, 2);
            const int query = first + (warp() * RowTiles + m) * 16 + half * 8 + g;
            if (query >= call.queries)
                continue;
            const float inverse = 1 / sum;
            float* o = call.o + (row * call.queries + query) * call.dims;
#pragma unroll
            for (int j = 0; j < DimTiles; j++) {
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    const int d = j * 8 + t * 2 + i;
                    if (d >= call.dims)
                        continue;
                    float value = sums[m][j][half * 2 + i] * inverse;
                    if (Sizes::Bytes)
                        value *= call.value_scales[key_row * Dims + d];
                    if (call.value_means)
                        value += call.value_means[key_row * call.dims + d];
                    o[d] = sum == 0 ? 0 : value;                 // a query that sees no key
                }
            }
        }
    }
}

#define SAGE_ATTENTION(name, product, dims) \
    extern "C" __global__ void __launch_bounds__(AttentionThreads) name( \
        const u8* q, const u8* k, const u8* v, const float* query_scales, const float* key_scales, const float* correction, const float* value_scales, \
        const float* value_means, float* o, int queries, int keys, int padded_keys, int heads, int key_heads, int dimensions, int blocks, int causal, \
        float correction_factor) { \
        attend<product, dims>({q, k, v, query_scales, key_scales, correction, value_scales, value_means, o, queries, keys, padded_keys, heads, key_heads, \
            dimensions, blocks, causal, correction_factor}); \
    }

SAGE_ATTENTION(sage_attention_fp16_64, Kind::Fp16, 64)
SAGE_ATTENTION(sage_attention_fp16_128, Kind::Fp16, 128)
SAGE_ATTENTION(sage_attention_bf16_64, Kind::Bf16, 64)
SAGE_ATTENTION(sage_attention_bf16_128, Kind::Bf16, 128)
#if __CUDA_ARCH__ >= 890
SAGE_ATTENTION(sage_attention_e4m3_64, Kind::E4M3, 64)
SAGE_ATTENTION(sage_attention_e4m3_128, Kind::E4M3, 128)
#endif
