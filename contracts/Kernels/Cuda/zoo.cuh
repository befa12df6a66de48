// Zoo's device header: what kernels need beyond CUDA C++ itself. `#include "zoo.cuh"` finds it without any toolkit.
//
// Every PTX instruction that Zoo uses stands here and nowhere else, beside its C++ twin for the emulator of the tests (ZOO_EMULATION), so that
// a .cu runs, checked, on machines without a card. Reductions and scans combine in a fixed order: the same launch gives the same bits.
#pragma once

namespace zoo {

using i8 = signed char;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

constexpr int WarpSize = 32;
constexpr u32 WholeWarp = 0xFFFFFFFF;

// ---- threads

/// Number of this thread in its block, x first: the hardware's own order, in which 32 make a warp.
__device__ __forceinline__ int thread_number() { return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z); }
__device__ __forceinline__ int lane() { return thread_number() % WarpSize; }
__device__ __forceinline__ int warp() { return thread_number() / WarpSize; }

/// The block's dynamic shared memory, as much as the launch asked for. (`extern __shared__` is not emulated.) All calls give the same address,
/// a multiple of 1,024: lay several arrays out by hand.
template <class T> __device__ __forceinline__ T* dynamic_shared() {
#ifdef ZOO_EMULATION
    return emulation::dynamic_shared<T>();
#else
    extern __shared__ __align__(1024) unsigned char zoo_dynamic_shared_memory[];
    return reinterpret_cast<T*>(zoo_dynamic_shared_memory);
#endif
}

// ---- numbers

__device__ __forceinline__ float infinity() { return __int_as_float(0x7F800000); }
__device__ __forceinline__ float not_a_number() { return __int_as_float(0x7FFFFFFF); }

/// The larger one; NaN where either is NaN. (fmaxf drops NaN, and a softmax over it would look healthy.)
__device__ __forceinline__ float max_or_nan(float a, float b) {
#ifdef ZOO_EMULATION
    return a > b || a != a ? a : b;
#else
    float y;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#endif
}
/// The smaller one; NaN where either is NaN.
__device__ __forceinline__ float min_or_nan(float a, float b) {
#ifdef ZOO_EMULATION
    return a < b || a != a ? a : b;
#else
    float y;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
#endif
}

// ---- fast functions: one instruction and a little. Subnormal arguments and results count as zero; NaN stays NaN.

/// 2^x, relative error 2^-22.
__device__ __forceinline__ float fast_exp2(float x) {
#ifdef ZOO_EMULATION
    return emulation::exp2_approximate(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/// log2(x), absolute error 2^-22 for x in [0.5, 2], relative beyond.
__device__ __forceinline__ float fast_log2(float x) {
#ifdef ZOO_EMULATION
    return emulation::log2_approximate(x);
#else
    float y;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/// 1 / x to one unit in the last place.
__device__ __forceinline__ float fast_reciprocal(float x) {
#ifdef ZOO_EMULATION
    return emulation::reciprocal_approximate(x);
#else
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

/// tanh(x), relative error 2^-11: for activations in low precision only.
__device__ __forceinline__ float fast_tanh(float x) {
#ifdef ZOO_EMULATION
    return emulation::tanh_approximate(x);
#else
    float y;
    asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}

constexpr float Log2E = 1.4426950408889634f;
constexpr float Ln2 = 0.6931471805599453f;

/// e^x; the product with log2 e adds |x| 2^-24 to the relative error.
__device__ __forceinline__ float fast_exp(float x) { return fast_exp2(x * Log2E); }
__device__ __forceinline__ float fast_log(float x) { return fast_log2(x) * Ln2; }
__device__ __forceinline__ float fast_sigmoid(float x) { return fast_reciprocal(1 + fast_exp(-x)); }
__device__ __forceinline__ float fast_silu(float x) { return x * fast_sigmoid(x); }

/// log(1 + e^x) for any x, relative error about 1e-6: small ones by the series, so that they do not vanish.
__device__ __forceinline__ float fast_softplus(float x) {
    const float t = fast_exp(-fabsf(x));
    const float log1p = t < 0.03125f ? t * (1 - t * (0.5f - t * (0.33333334f - t * (0.25f - t * 0.2f)))) : fast_log(1 + t);
    return (x > 0 ? x : 0) + log1p;
}

// ---- exact to a few units in the last place, as CUDA's own maths

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }
__device__ __forceinline__ float silu(float x) { return x / (1 + expf(-x)); }

/// log(1 + t) for t between 0 and 1, as 2 artanh(t / (2 + t)): half of log1pf's instructions, and no branch.
__device__ __forceinline__ float log1p_to_one(float t) {
    const float w = t * fast_reciprocal(2 + t), q = w * w;
    float p = fmaf(q, 0.15384616f, 0.18181819f);
    p = fmaf(q, p, 0.22222222f);
    p = fmaf(q, p, 0.2857143f);
    p = fmaf(q, p, 0.4f);
    p = fmaf(q, p, 0.6666667f);
    return w * fmaf(q, p, 2.0f);
}

__device__ __forceinline__ float softplus(float x) { return (x > 0 ? x : 0) + log1p_to_one(expf(-fabsf(x))); }

// ---- bf16, fp16, fp8 e4m3: bits in memory, float in registers; rounding to nearest, ties to even

struct bf16 {
    u16 bits;
};
struct fp16 {
    u16 bits;
};
struct e4m3 {
    u8 bits;
};

__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }

__device__ __forceinline__ float to_float(fp16 x) {
#ifdef ZOO_EMULATION
    return emulation::value_of_fp16(x.bits);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
#endif
}

/// In integers, as no instruction before sm_89 knows the type.
__device__ __forceinline__ float to_float(e4m3 x) {
    const u32 sign = static_cast<u32>(x.bits & 0x80) << 24, magnitude = x.bits & 0x7F;
    if (magnitude == 0x7F)
        return not_a_number();
    if (magnitude < 8)   // subnormal: units of 2^-9
        return __uint_as_float(__float_as_uint(static_cast<float>(magnitude) * 0.001953125f) | sign);
    return __uint_as_float((magnitude << 20) + (120u << 23) | sign);
}

template <class T> __device__ T from_float(float x);

template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }

template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
#ifdef ZOO_EMULATION
    y.bits = emulation::bits_of_bf16(x);
#else
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
    return y;
}

template <> __device__ __forceinline__ fp16 from_float<fp16>(float x) {
    fp16 y;
#ifdef ZOO_EMULATION
    y.bits = emulation::bits_of_fp16(x);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#endif
    return y;
}

/// Beyond ±448, infinity included, to ±448; NaN stays.
template <> __device__ __forceinline__ e4m3 from_float<e4m3>(float x) {
    e4m3 y;
#if !defined(ZOO_EMULATION) && __CUDA_ARCH__ >= 890
    u16 pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.f), "f"(x));
    y.bits = static_cast<u8>(pair);
#else
    // The twin, which older cards run as well.
    const u32 bits = __float_as_uint(x), magnitude = bits & 0x7FFFFFFF, sign = bits >> 24 & 0x80;
    if (magnitude > 0x7F800000)
        y.bits = 0x7F;
    else if (magnitude >= 0x43E80000)   // 464 and more; below, rounding reaches at most 448
        y.bits = static_cast<u8>(sign | 0x7E);
    else if (magnitude < 0x3C800000)    // below 2^-6: units of 2^-9, found by adding 2^14, whose last place is one such unit
        y.bits = static_cast<u8>(sign | (__float_as_uint(__uint_as_float(magnitude) + 16384.f) - 0x46800000));
    else
        y.bits = static_cast<u8>(sign | ((magnitude + 0x7FFFF + (magnitude >> 20 & 1) - (120u << 23)) >> 20));
#endif
    return y;
}

/// Two numbers as a register of a matrix holds them, the first in the lower half.
__device__ __forceinline__ u32 pack_bf16(float low, float high) {
#ifdef ZOO_EMULATION
    return emulation::bits_of_bf16(low) | static_cast<u32>(emulation::bits_of_bf16(high)) << 16;
#else
    u32 y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
#endif
}

__device__ __forceinline__ u32 pack_fp16(float low, float high) {
#ifdef ZOO_EMULATION
    return emulation::bits_of_fp16(low) | static_cast<u32>(emulation::bits_of_fp16(high)) << 16;
#else
    u32 y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
#endif
}

/// Four numbers, the first in the lowest byte.
__device__ __forceinline__ u32 pack_e4m3(float a, float b, float c, float d) {
#if !defined(ZOO_EMULATION) && __CUDA_ARCH__ >= 890
    u32 y;
    asm("{\n.reg .b16 low, high;\ncvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\ncvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\nmov.b32 %0, {low, high};\n}"
        : "=r"(y) : "f"(a), "f"(b), "f"(c), "f"(d));
    return y;
#else
    return from_float<e4m3>(a).bits | static_cast<u32>(from_float<e4m3>(b).bits) << 8 | static_cast<u32>(from_float<e4m3>(c).bits) << 16
        | static_cast<u32>(from_float<e4m3>(d).bits) << 24;
#endif
}

/// A float rounded to the 10 bits of fraction that tf32 has, as `mma_tf32` wants it.
__device__ __forceinline__ u32 to_tf32(float x) {
#ifdef ZOO_EMULATION
    const u32 bits = __float_as_uint(x);
    return (bits & 0x7FFFFFFF) > 0x7F800000 ? 0x7FFFFFFF : (bits + 0x1000) & 0xFFFFE000;   // ties away from zero
#else
    u32 y;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(x));
    return y;
#endif
}

// ---- copies from global to shared memory that go on while the kernel does. What is copied is there after copy_wait for the thread that asked
//      for it, and after a __syncthreads behind that for the others.

#ifndef ZOO_EMULATION
__device__ __forceinline__ u32 shared_address(const void* shared) { return static_cast<u32>(__cvta_generic_to_shared(shared)); }
#endif

/// Copies 16 bytes; both addresses are multiples of 16.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
#ifdef ZOO_EMULATION
    emulation::copy_async(shared, global, 16, 16, "copy_async_16");
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory");
#endif
}

/// As copy_async_16 with the first `valid` bytes only, 0 to 16; the others become zero.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global, int valid) {
#ifdef ZOO_EMULATION
    emulation::copy_async(shared, global, 16, valid, "copy_async_16");
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid) : "memory");
#endif
}

/// Copies 4 bytes, or zeroes them.
__device__ __forceinline__ void copy_async_4(void* shared, const void* global, bool valid = true) {
#ifdef ZOO_EMULATION
    emulation::copy_async(shared, global, 4, valid ? 4 : 0, "copy_async_4");
#else
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(valid ? 4 : 0) : "memory");
#endif
}

/// Ends a group of copies.
__device__ __forceinline__ void copy_commit() {
#ifdef ZOO_EMULATION
    emulation::copy_commit();
#else
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until all but the last `Pending` groups of this thread are there.
template <int Pending> __device__ __forceinline__ void copy_wait() {
#ifdef ZOO_EMULATION
    emulation::copy_wait(Pending);
#else
    asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

// ---- matrices of a warp. Lane l has g = l / 4 and t = l % 4; a register holds E elements (tf32 1, bf16 and fp16 2, s8 and e4m3 4), and k is 8 E.
//      A (16 × k), 4 registers: the r-th holds row g + 8 (r % 2), columns 4 E (r / 2) + E t and on.
//      B (k × 8), 2 registers: the r-th holds column g, rows 4 E r + E t and on.
//      C and D (16 × 8), 4 numbers: the i-th is row g + 8 (i / 2), column 2 t + i % 2.

/// Loads 8 × 8 matrices of 2-byte elements: lane l gives the address, a multiple of 16, of row l % 8 of matrix l / 8, and gets of each matrix
/// elements 2 t and 2 t + 1 of row g. All 32 lanes call it; addresses beyond the last matrix are not used.
__device__ __forceinline__ void load_matrix(u32 (&d)[4], const void* shared_row) {
#ifdef ZOO_EMULATION
    emulation::load_matrix(d, shared_row, 4, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(shared_address(shared_row)) : "memory");
#endif
}

__device__ __forceinline__ void load_matrix(u32 (&d)[2], const void* shared_row) {
#ifdef ZOO_EMULATION
    emulation::load_matrix(d, shared_row, 2, false);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
        : "=r"(d[0]), "=r"(d[1]) : "r"(shared_address(shared_row)) : "memory");
#endif
}

/// As load_matrix, transposed: lane l gets elements g of rows 2 t and 2 t + 1.
__device__ __forceinline__ void load_matrix_transposed(u32 (&d)[4], const void* shared_row) {
#ifdef ZOO_EMULATION
    emulation::load_matrix(d, shared_row, 4, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
        : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(shared_address(shared_row)) : "memory");
#endif
}

__device__ __forceinline__ void load_matrix_transposed(u32 (&d)[2], const void* shared_row) {
#ifdef ZOO_EMULATION
    emulation::load_matrix(d, shared_row, 2, true);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
        : "=r"(d[0]), "=r"(d[1]) : "r"(shared_address(shared_row)) : "memory");
#endif
}

/// d += a · b over 16 × 8 × 8, inputs from to_tf32.
__device__ __forceinline__ void mma_tf32(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    emulation::multiply<emulation::Tf32>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// d = a · b likewise, in place of what was there.
__device__ __forceinline__ void mma_tf32_alone(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    for (int i = 0; i < 4; i++)
        d[i] = 0;
    emulation::multiply<emulation::Tf32>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
        : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(0.f));
#endif
}

/// d += a · b over 16 × 8 × 16 in bf16.
__device__ __forceinline__ void mma_bf16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    emulation::multiply<emulation::Bf16>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// d += a · b over 16 × 8 × 16 in fp16, summed in float.
__device__ __forceinline__ void mma_fp16(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    emulation::multiply<emulation::Fp16>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/// d += a · b over 16 × 8 × 32 in whole numbers of 8 bits, exact.
__device__ __forceinline__ void mma_s8(int (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    emulation::multiply<emulation::Int8>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

#if __CUDA_ARCH__ >= 890
/// d += a · b over 16 × 8 × 32 in fp8 e4m3; sm_89 and later. The hardware sums with fewer bits than float has.
__device__ __forceinline__ void mma_e4m3(float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) {
#ifdef ZOO_EMULATION
    emulation::multiply<emulation::E4m3>(d, a, b);
#else
    asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}
#endif

// ---- reductions and scans

struct Sum {
    template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};
struct Maximum {
    __device__ __forceinline__ float operator()(float a, float b) const { return max_or_nan(a, b); }
    __device__ __forceinline__ int operator()(int a, int b) const { return a > b ? a : b; }
};
struct Minimum {
    __device__ __forceinline__ float operator()(float a, float b) const { return min_or_nan(a, b); }
    __device__ __forceinline__ int operator()(int a, int b) const { return a < b ? a : b; }
};

/// What the lanes of a whole warp combine to; every lane gets it. `combine` must be commutative.
template <class T, class F> __device__ __forceinline__ T warp_reduce(T value, F combine) {
#pragma unroll
    for (int distance = WarpSize / 2; distance > 0; distance /= 2)
        value = combine(value, __shfl_xor_sync(WholeWarp, value, distance));
    return value;
}
template <class T> __device__ __forceinline__ T warp_sum(T value) { return warp_reduce(value, Sum()); }
template <class T> __device__ __forceinline__ T warp_max(T value) { return warp_reduce(value, Maximum()); }

/// What the lanes up to this one combine to, the first lane's value first.
template <class T, class F> __device__ __forceinline__ T warp_scan(T value, F combine) {
#pragma unroll
    for (int distance = 1; distance < WarpSize; distance *= 2) {
        const T before = __shfl_up_sync(WholeWarp, value, distance);
        if (lane() >= distance)
            value = combine(before, value);
    }
    return value;
}

/// What all threads of a block combine to; every thread gets it. The block has `Threads` threads, a multiple of 32, and all call it.
template <int Threads, class T, class F> __device__ __forceinline__ T block_reduce(T value, F combine) {
    static_assert(Threads % WarpSize == 0, "whole warps");
    __shared__ T parts[Threads / WarpSize];
    value = warp_reduce(value, combine);
    if (lane() == 0)
        parts[warp()] = value;
    __syncthreads();
    value = parts[0];
#pragma unroll
    for (int w = 1; w < Threads / WarpSize; w++)
        value = combine(value, parts[w]);
    __syncthreads();   // `parts` may be written again
    return value;
}
template <int Threads, class T> __device__ __forceinline__ T block_sum(T value) { return block_reduce<Threads>(value, Sum()); }
template <int Threads, class T> __device__ __forceinline__ T block_max(T value) { return block_reduce<Threads>(value, Maximum()); }

/// What the threads of a block up to this one combine to, in the order of thread_number. As block_reduce otherwise.
template <int Threads, class T, class F> __device__ __forceinline__ T block_scan(T value, F combine) {
    static_assert(Threads % WarpSize == 0, "whole warps");
    __shared__ T parts[Threads / WarpSize];
    value = warp_scan(value, combine);
    if (lane() == WarpSize - 1)
        parts[warp()] = value;
    __syncthreads();
    if (warp() > 0) {
        T before = parts[0];
        for (int w = 1; w < warp(); w++)
            before = combine(before, parts[w]);
        value = combine(before, value);
    }
    __syncthreads();
    return value;
}

/// The sums of the columns of [count, dims], rows in a fixed order: what blocks found apart, put together. Blocks of (32, AddRowsAtOnce) threads,
/// one a 32 columns.
constexpr int AddRowsAtOnce = 8;

__device__ __forceinline__ void add_rows(const float* __restrict__ rows, float* __restrict__ sums, int count, int dims) {
    __shared__ float parts[AddRowsAtOnce][WarpSize];
    const int d = blockIdx.x * WarpSize + threadIdx.x;
    float sum = 0;
    if (d < dims) {
#pragma unroll 4
        for (int row = threadIdx.y; row < count; row += AddRowsAtOnce)
            sum += rows[static_cast<i64>(row) * dims + d];
    }
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || d >= dims)
        return;
#pragma unroll
    for (int i = 1; i < AddRowsAtOnce; i++)
        sum += parts[i][threadIdx.x];
    sums[d] = sum;
}

// ---- affine steps h → a h + b, as recurrences are made of

struct Affine {
    float a, b;

    using Number = float;

    static __device__ __forceinline__ Affine neutral() { return {1, 0}; }
    static __device__ __forceinline__ Affine to(float h) { return {1, h}; }   // as the first of several

    /// After this step.
    __device__ __forceinline__ float apply(float h) const { return h == 0 ? b : fmaf(a, h, b); }   // a product of many decays may be infinite: no 0 · ∞

    /// This step and then `next`, as one.
    __device__ __forceinline__ Affine then(Affine next) const { return {a * next.a, next.apply(b)}; }
};

}
