// What a card can do at most, as the divisors of a floor: each kernel does one thing and nothing else. Chains are independent of each other, and
// enough of them to hide an instruction's latency; results are stored under a condition that never holds, so that none of it is left out.
#include "zoo.cuh"

using namespace zoo;

constexpr int Chains = 8;
constexpr float Never = -12345;

/// Reads and writes 16 bytes a thread, as often as there are.
extern "C" __global__ void rates_copy(const float4* from, float4* to, i64 count) {
    const i64 step = static_cast<i64>(gridDim.x) * blockDim.x;
    for (i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step)
        to[i] = from[i];
}

/// Every thread's chains of float32 numbers: x = step(x), over and over.
template <class F> __device__ __forceinline__ void chains(float* out, int rounds, F step) {
    float x[Chains];
#pragma unroll
    for (int c = 0; c < Chains; c++)
        x[c] = static_cast<float>(c);
    for (int round = 0; round < rounds; round++) {
#pragma unroll
        for (int c = 0; c < Chains; c++)
            x[c] = step(x[c]);
    }
#pragma unroll
    for (int c = 0; c < Chains; c++) {
        if (x[c] == Never)
            out[c] = x[c];
    }
}

/// Every warp's chains of sums, each added to by one product of its tensor core a round.
template <class T, class F> __device__ __forceinline__ void products(float* out, int rounds, F multiply) {
    T sums[Chains][4] = {};
    const u32 a[4] = {threadIdx.x, threadIdx.x, threadIdx.x, threadIdx.x}, b[2] = {threadIdx.x, threadIdx.x};
    for (int round = 0; round < rounds; round++) {
#pragma unroll
        for (int c = 0; c < Chains; c++)
            multiply(sums[c], a, b);
    }
#pragma unroll
    for (int c = 0; c < Chains; c++) {
        if (sums[c][0] == static_cast<T>(Never))
            out[c] = static_cast<float>(sums[c][1] + sums[c][2] + sums[c][3]);
    }
}

extern "C" __global__ void rates_fp32(float* out, int rounds, float factor) {
    chains(out, rounds, [=](float x) { return fmaf(x, factor, 0.25f); });
}

extern "C" __global__ void rates_exp(float* out, int rounds) {
    chains(out, rounds, [](float x) { return fast_exp2(-x); });
}

extern "C" __global__ void rates_bf16(float* out, int rounds) {
    products<float>(out, rounds, [](float (&sums)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_bf16(sums, a, b); });
}

extern "C" __global__ void rates_int8(float* out, int rounds) {
    products<int>(out, rounds, [](int (&sums)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_s8(sums, a, b); });
}
