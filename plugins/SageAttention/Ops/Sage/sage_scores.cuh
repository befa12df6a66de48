// What the attention kernels share: the call, and the softmax's arithmetic.
#pragma once
#include "sage_quantize.cuh"

constexpr float Log2Of448 = 8.807355f;

struct Call {
    const u8 *q, *k, *v;
    const float *query_scales, *key_scales, *correction, *value_scales, *value_means;
    float* o;
    int queries, padded_queries, keys, padded_keys, heads, key_heads, dims, blocks, causal;
    int uniform;                    // whether keys of 64 that are alike in key % 8 / 2 share a scale, none is corrected, and no factor is negative
    float correction_factor;

    __device__ __forceinline__ i64 key_row(i64 row) const { return row / heads * key_heads + row % heads / (heads / key_heads); }
    /// Keys that queries up to this one see.
    __device__ __forceinline__ int seen(int query) const {
        const int last = query < queries ? query : queries - 1, count = causal ? last + 1 + keys - queries : keys;
        return count > 0 ? count : 0;
    }
    /// Of how many tiles, the first ones, a query sees every key, and `soften` needs no second look at any.
    __device__ __forceinline__ int simple_tiles(int query, int tile) const {
        const int count = causal && query + 1 + keys - queries < keys ? query + 1 + keys - queries : keys;
        return uniform && count > 0 ? count / tile : 0;
    }
    __device__ __forceinline__ float query_scale(i64 row, int query) const { return query < queries ? query_scales[row * padded_queries + query] : 0; }
    __device__ __forceinline__ const float* corrections(i64 row, int query) const {
        return correction && query < queries ? correction + (row * blocks + query / TokensOfMean) * padded_keys : nullptr;
    }
};

/// 2^x, relative error 1e-4, which weights of 8 bits do not show: on the units that multiply, where those of exponentials are what all wait for. -∞ gives 2^-126.
__device__ __forceinline__ float exp2_by_products(float x) {
    x = max_or_nan(x, -126.f);
    const float whole = x + 12582912.f, rest = x - (whole - 12582912.f);            // 1.5 · 2^23: the whole number is in the last bits
    const float power = fmaf(fmaf(fmaf(0.05517166f, rest, 0.24261112f), rest, 0.69326099f), rest, 0.99992807f);
    return __uint_as_float(__float_as_uint(power) + (__float_as_uint(whole) << 23));
}

/// A thread's part of scores of 16 queries and `Count / 4` times 8 keys, as `mma_` functions lay them out, from products to weights.
template <int Count> struct Scores {
    static constexpr int Parts = (Count + 31) / 32;             // of 64 keys
    float numbers[Count];

    /// Weights are 2^(score - largest), times 448 where `log2_of_weight` says so. What has been summed shrinks by what is returned in `shrink`. With
    /// `Totals`, the sums of weights are kept. `ByProducts`: of so many pairs of weights, one is by products; 0: none.
    /// `query`: the thread's first of two, 8 apart. `factors`: scales of the tile's keys. `simple`: all keys are seen, and call.uniform.
    template <bool Totals, int ByProducts> __device__ __forceinline__ void soften(
        const int (&products)[Count], const Call& call, const float* factors, const float* correction, int from, int query, bool simple, const float (&query_scale)[2],
        float log2_of_weight, float (&largest)[2], float (&total)[2], float (&shrink)[2]) {
        const int t = lane() % 4;
        float factor[Parts][2], top[2] = {largest[0], largest[1]};
        if (simple) {
            // One factor for all of a thread's keys: their largest is that of the whole numbers.
#pragma unroll
            for (int part = 0; part < Parts; part++) {
                const float of_keys = factors[part * 64 + t * 2];
                int most[2] = {products[part * 32], products[part * 32 + 2]};
#pragma unroll
                for (int i = 0; i < 32; i++) {
                    most[i / 2 % 2] = max(most[i / 2 % 2], products[part * 32 + i]);
                    numbers[part * 32 + i] = static_cast<float>(products[part * 32 + i]);
                }
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    factor[part][half] = of_keys * query_scale[half];
                    top[half] = max_or_nan(top[half], static_cast<float>(most[half]) * factor[part][half]);
                }
            }
        } else {
            int end[2];                                         // the last key that a query sees
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int own = query + half * 8 + call.keys - call.queries;
                end[half] = call.causal && own < call.keys ? own : call.keys - 1;
            }
#pragma unroll
            for (int i = 0; i < Count; i++)
                numbers[i] = static_cast<float>(products[i]) * query_scale[i / 2 % 2] * factors[i / 4 * 8 + t * 2 + i % 2];
            if (correction) {
#pragma unroll
                for (int i = 0; i < Count; i++)
                    numbers[i] = fmaf(__ldg(correction + from + i / 4 * 8 + t * 2 + i % 2), call.correction_factor, numbers[i]);
            }
#pragma unroll
            for (int i = 0; i < Count; i++) {
                const int half = i / 2 % 2;
                numbers[i] = from + i / 4 * 8 + t * 2 + i % 2 <= end[half] ? numbers[i] : -infinity();
                top[half] = max_or_nan(top[half], numbers[i]);
            }
#pragma unroll
            for (int part = 0; part < Parts; part++)
                factor[part][0] = factor[part][1] = 1;
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            top[half] = max_or_nan(top[half], __shfl_xor_sync(WholeWarp, top[half], 1));
            top[half] = max_or_nan(top[half], __shfl_xor_sync(WholeWarp, top[half], 2));
            const float base = top[half] == -infinity() ? 0 : top[half];
            shrink[half] = fast_exp2(largest[half] - base);
            if (Totals)
                total[half] *= shrink[half];
            largest[half] = top[half];
            top[half] = log2_of_weight - base;
        }
#pragma unroll
        for (int i = 0; i < Count; i++) {
            const int half = i / 2 % 2;
            const float power = fmaf(numbers[i], factor[i / 32][half], top[half]);
            numbers[i] = ByProducts > 0 && i / 2 % (ByProducts > 0 ? ByProducts : 1) == 0 ? exp2_by_products(power) : fast_exp2(power);
            if (Totals)
                total[half] += numbers[i];
        }
    }

    /// Four weights of a row, of two eights of keys, as a factor's register has them.
    __device__ __forceinline__ u32 packed_e4m3(int n, int half) const {
        return pack_e4m3(numbers[n * 4 + half * 2], numbers[n * 4 + half * 2 + 1], numbers[n * 4 + 4 + half * 2], numbers[n * 4 + 4 + half * 2 + 1]);
    }
};

/// One of a thread's two rows of results, pairs of dims 8 apart, divided by the sum of weights. Zero for a query that sees no key.
template <int Dims, int Count> __device__ __forceinline__ void store(const Call& call, i64 row, int query, int half, const float (&sums)[Count], float total) {
    total += __shfl_xor_sync(WholeWarp, total, 1);
    total += __shfl_xor_sync(WholeWarp, total, 2);
    if (query >= call.queries)
        return;
    const i64 key_row = call.key_row(row);
    const bool sees = total != 0, whole = call.dims == Dims && !call.value_means;
    const float inverse = sees ? 1 / total : 0;
    float* o = call.o + (row * call.queries + query) * call.dims;
    const float* means = call.value_means && sees ? call.value_means + key_row * call.dims : nullptr;
#pragma unroll
    for (int j = 0; j < Dims / 8; j++) {
        const int d = j * 8 + lane() % 4 * 2;
        float2 scale = make_float2(1, 1);
        if (call.value_scales)
            scale = *reinterpret_cast<const float2*>(call.value_scales + key_row * Dims + d);
        const float low = sums[j * 4 + half * 2] * inverse * scale.x, high = sums[j * 4 + half * 2 + 1] * inverse * scale.y;
        if (whole)
            *reinterpret_cast<float2*>(o + d) = make_float2(low, high);
        else {
            if (d < call.dims)
                o[d] = means ? low + means[d] : low;
            if (d + 1 < call.dims)
                o[d + 1] = means ? high + means[d + 1] : high;
        }
    }
}

#define SAGE_PARAMETERS \
    const u8 *q, const u8 *k, const u8 *v, const float *query_scales, const float *key_scales, const float *correction, const float *value_scales, \
        const float *value_means, float *o, int queries, int padded_queries, int keys, int padded_keys, int heads, int key_heads, int dimensions, int blocks, \
        int causal, int uniform, float correction_factor
#define SAGE_CALL \
    {q, k, v, query_scales, key_scales, correction, value_scales, value_means, o, queries, padded_queries, keys, padded_keys, heads, key_heads, dimensions, \
        blocks, causal, uniform, correction_factor}
