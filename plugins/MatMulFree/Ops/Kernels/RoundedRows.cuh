// Rows normalised and rounded to 8 bits, for the layer and its packed form: the same lines, so that both give the same bits.
#pragma once
#include "zoo.cuh"

namespace rounded {

using namespace zoo;

constexpr int Threads = 256;
constexpr float Largest = 127, Smallest = 1e-5f;

struct alignas(16) Four {
    float at[4];
};

/// Numbers 4 i to 4 i + 3 of a row, zeros behind its end.
__device__ __forceinline__ Four four(const float* row, int i, int count, bool wide) {
    if (wide)
        return *reinterpret_cast<const Four*>(row + 4 * i);
    Four values;
#pragma unroll
    for (int e = 0; e < 4; e++)
        values.at[e] = 4 * i + e < count ? row[4 * i + e] : 0;
    return values;
}

/// What a row was multiplied by: its norm's rate, and 127 over the largest magnitude. Both NaN where a number of the row is not finite.
struct Scales {
    float rate, scale;
};

/// n = x rate norm, x_scale = 127 / max |n|, bytes = round(n x_scale), of one row by a whole block. put(i, word) gets bytes 4 i to 4 i + 3, the first the
/// lowest, zeros behind the end of the row, for i below `words`.
template <class Put> __device__ __forceinline__ Scales round_row(const float* x, const float* norm, int inputs, int words, float epsilon, Put put) {
    const bool wide = (reinterpret_cast<u64>(x) | reinterpret_cast<u64>(norm) | static_cast<u64>(inputs) * sizeof(float)) % 16 == 0;
    const int pieces = (inputs + 3) / 4;
    float squares = 0;
    for (int i = threadIdx.x; i < pieces; i += Threads) {
        const Four values = four(x, i, inputs, wide);
#pragma unroll
        for (int e = 0; e < 4; e++)
            squares = fmaf(values.at[e], values.at[e], squares);
    }
    squares = block_sum<Threads>(squares);
    const bool sound = squares < infinity();                    // false for NaN
    const float rate = sound ? 1 / sqrtf(squares / inputs + epsilon) : not_a_number();
    float largest = 0;
    for (int i = threadIdx.x; i < pieces; i += Threads) {
        const Four values = four(x, i, inputs, wide), weights = four(norm, i, inputs, wide);
#pragma unroll
        for (int e = 0; e < 4; e++)
            largest = fmaxf(largest, fabsf(values.at[e] * rate * weights.at[e]));
    }
    largest = block_max<Threads>(largest);
    const float scale = sound ? __fdiv_rn(Largest, fmaxf(largest, Smallest)) : not_a_number();
    for (int i = threadIdx.x; i < words; i += Threads) {
        u32 word = 0;
        if (sound && i < pieces) {
            const Four values = four(x, i, inputs, wide), weights = four(norm, i, inputs, wide);
#pragma unroll
            for (int e = 0; e < 4; e++)
                word |= (static_cast<u32>(static_cast<int>(rintf(__fmul_rn(values.at[e] * rate * weights.at[e], scale)))) & 0xFF) << (8 * e);
        }
        put(i, word);
    }
    return {rate, scale};
}

}
