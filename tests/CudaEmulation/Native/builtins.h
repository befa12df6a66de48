// What NVRTC knows without a header, for GCC: qualifiers, vector types, thread indices, barriers, votes, shuffles, atomics, device maths.
#pragma once

#define __global__ __attribute__((zoo_kernel))
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
// More than GCC leaves gaps after; nothing that a kernel may rely on here wants more.
#define __align__(n) __attribute__((aligned((n) > 64 ? 64 : (n))))

#define threadIdx (emulation::thread_index())
#define blockIdx (emulation::block_index())
#define blockDim (emulation::block_size())
#define gridDim (emulation::grid_size())
constexpr int warpSize = 32;

using dim3 = emulation::Size;

namespace emulation {
// What a thread finds here never changes while it runs.
EMULATOR_CALL __attribute__((const)) Size thread_index() { return current->index; }
EMULATOR_CALL __attribute__((const)) Size block_index() { return state.block; }
EMULATOR_CALL __attribute__((const)) Size block_size() { return state.launch.block; }
EMULATOR_CALL __attribute__((const)) Size grid_size() { return state.launch.grid; }
}

// ---- vector types

#define EMULATOR_VECTORS(T, name, pair, quad) \
    struct name##2 { T x, y; } __attribute__((aligned(pair))); \
    struct name##3 { T x, y, z; }; \
    struct name##4 { T x, y, z, w; } __attribute__((aligned(quad))); \
    inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; } \
    inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATOR_VECTORS(signed char, char, 2, 4)
EMULATOR_VECTORS(unsigned char, uchar, 2, 4)
EMULATOR_VECTORS(short, short, 4, 8)
EMULATOR_VECTORS(unsigned short, ushort, 4, 8)
EMULATOR_VECTORS(int, int, 8, 16)
EMULATOR_VECTORS(unsigned, uint, 8, 16)
EMULATOR_VECTORS(float, float, 8, 16)
EMULATOR_VECTORS(double, double, 16, 16)
EMULATOR_VECTORS(long long, longlong, 16, 16)
EMULATOR_VECTORS(unsigned long long, ulonglong, 16, 16)

// ---- barriers

#define __syncthreads() emulation::barrier(__LINE__, 0)
#define __syncthreads_or(p) (emulation::barrier(__LINE__, (p) != 0), emulation::barrier_result(0))
#define __syncthreads_and(p) (emulation::barrier(__LINE__, (p) != 0), emulation::barrier_result(1))
#define __syncthreads_count(p) (emulation::barrier(__LINE__, (p) != 0), emulation::barrier_result(2))
#define __syncwarp(...) emulation::warp_barrier(emulation::mask_or_all(__VA_ARGS__), __LINE__)
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}

namespace emulation {

EMULATOR_CALL int barrier_result(int which) { return which == 0 ? state.barrier_or : which == 1 ? state.barrier_and : state.barrier_count; }

constexpr unsigned mask_or_all(unsigned mask = ~0u) { return mask; }

EMULATOR_CALL void complete_warp_barrier(Exchange**, unsigned) { state.warps[current->warp].epoch++; }

EMULATOR_CALL void warp_barrier(unsigned mask, int line) {
    Exchange e{"__syncwarp", line, mask, complete_warp_barrier};
    exchange(e);
}

// ---- shuffles and votes

struct Shuffle : Exchange {
    uint64_t value, result;
    unsigned source;   // a lane of the warp
};

EMULATOR_CALL void complete_shuffle(Exchange** lanes, unsigned participants) {
    for (unsigned l = 0; l < WarpSize; l++) {
        if (!lanes[l])
            continue;
        Shuffle& to = *static_cast<Shuffle*>(lanes[l]);
        if (!(participants >> to.source & 1)) {
            snprintf(state.report->text, sizeof state.report->text, "%s in line %d: lane %u reads from lane %u, which is not active (mask 0x%08x, active 0x%08x)",
                to.name, to.line, l, to.source, to.mask, participants);
            fault(Other, 0, state.report->text);
        }
        to.result = static_cast<Shuffle*>(lanes[to.source])->value;
    }
}

EMULATOR_CALL uint64_t shuffle_bits(const char* name, int line, unsigned mask, uint64_t value, unsigned source) {
    Shuffle s{{name, line, mask, complete_shuffle}, value, 0, source};
    exchange(s);
    return s.result;
}

template <class T> EMULATOR inline T shuffle(const char* name, int line, unsigned mask, T value, unsigned source) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "A card shuffles 4 or 8 bytes.");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = shuffle_bits(name, line, mask, bits, source);
    memcpy(&value, &bits, sizeof value);
    return value;
}

EMULATOR_CALL unsigned lane() { return current->lane; }

// The lane to read from: within a group of `width` lanes, its own where there is none.
EMULATOR inline unsigned up(unsigned delta, unsigned width) {
    unsigned l = lane();
    return (l & (width - 1)) >= delta ? l - delta : l;
}
EMULATOR inline unsigned down(unsigned delta, unsigned width) {
    unsigned l = lane();
    return (l & (width - 1)) + delta < width ? l + delta : l;
}
EMULATOR inline unsigned across(unsigned bits, unsigned width) {
    unsigned l = lane(), to = (l & (width - 1)) ^ bits;
    return to < width ? (l & ~(width - 1)) | to : l;
}
EMULATOR inline unsigned at(unsigned source, unsigned width) { return (lane() & ~(width - 1)) | (source & (width - 1)); }

constexpr unsigned width_or_all(unsigned width = WarpSize) { return width; }

struct Vote : Exchange {
    unsigned predicate, result;
    int64_t value;
};

EMULATOR_CALL void complete_ballot(Exchange** lanes, unsigned) {
    unsigned votes = 0;
    for (unsigned l = 0; l < WarpSize; l++)
        votes |= lanes[l] && static_cast<Vote*>(lanes[l])->predicate ? 1u << l : 0;
    for (unsigned l = 0; l < WarpSize; l++) {
        if (lanes[l])
            static_cast<Vote*>(lanes[l])->result = votes;
    }
}

EMULATOR_CALL unsigned ballot(const char* name, int line, unsigned mask, unsigned predicate) {
    Vote v{{name, line, mask, complete_ballot}, predicate != 0, 0, 0};
    exchange(v);
    return v.result;
}

enum Reduction { Add, Min, Max, And, Or, Xor };

template <class T, Reduction R> EMULATOR_CALL void complete_reduction(Exchange** lanes, unsigned) {
    T sum{};
    bool first = true;
    for (unsigned l = 0; l < WarpSize; l++) {
        if (!lanes[l])
            continue;
        T v = static_cast<T>(static_cast<Vote*>(lanes[l])->value);
        sum = first ? v : R == Add ? sum + v : R == Min ? (v < sum ? v : sum) : R == Max ? (v > sum ? v : sum) : R == And ? (sum & v) : R == Or ? (sum | v) : (sum ^ v);
        first = false;
    }
    for (unsigned l = 0; l < WarpSize; l++) {
        if (lanes[l])
            static_cast<Vote*>(lanes[l])->value = sum;
    }
}

template <Reduction R, class T> EMULATOR_CALL T reduce(const char* name, int line, unsigned mask, T value) {
    Vote v{{name, line, mask, complete_reduction<T, R>}, 0, 0, static_cast<int64_t>(value)};
    exchange(v);
    return static_cast<T>(v.value);
}

// ---- atomics: one thread runs at a time

template <class T, class F> EMULATOR inline T atomic(T* address, void* code, F change) {
    check_atomic(address, code);
    T before = *address;
    *address = change(before);
    return before;
}

template <class T> struct Same { using type = T; };
template <class T> using SameT = typename Same<T>::type;

}

#define __shfl_sync(mask, v, from, ...) emulation::shuffle("__shfl_sync", __LINE__, mask, v, emulation::at(from, emulation::width_or_all(__VA_ARGS__)))
#define __shfl_up_sync(mask, v, d, ...) emulation::shuffle("__shfl_up_sync", __LINE__, mask, v, emulation::up(d, emulation::width_or_all(__VA_ARGS__)))
#define __shfl_down_sync(mask, v, d, ...) emulation::shuffle("__shfl_down_sync", __LINE__, mask, v, emulation::down(d, emulation::width_or_all(__VA_ARGS__)))
#define __shfl_xor_sync(mask, v, d, ...) emulation::shuffle("__shfl_xor_sync", __LINE__, mask, v, emulation::across(d, emulation::width_or_all(__VA_ARGS__)))
#define __ballot_sync(mask, p) emulation::ballot("__ballot_sync", __LINE__, mask, (p) != 0)
#define __any_sync(mask, p) (emulation::ballot("__any_sync", __LINE__, mask, (p) != 0) != 0)
#define __all_sync(mask, p) (emulation::ballot("__all_sync", __LINE__, mask, (p) == 0) == 0)
#define __reduce_add_sync(mask, v) emulation::reduce<emulation::Add>("__reduce_add_sync", __LINE__, mask, v)
#define __reduce_min_sync(mask, v) emulation::reduce<emulation::Min>("__reduce_min_sync", __LINE__, mask, v)
#define __reduce_max_sync(mask, v) emulation::reduce<emulation::Max>("__reduce_max_sync", __LINE__, mask, v)
#define __reduce_and_sync(mask, v) emulation::reduce<emulation::And>("__reduce_and_sync", __LINE__, mask, v)
#define __reduce_or_sync(mask, v) emulation::reduce<emulation::Or>("__reduce_or_sync", __LINE__, mask, v)
#define __reduce_xor_sync(mask, v) emulation::reduce<emulation::Xor>("__reduce_xor_sync", __LINE__, mask, v)

#define EMULATOR_ATOMIC(name, expression) \
    template <class T> EMULATOR_CALL T name(T* address, emulation::SameT<T> v) { \
        return emulation::atomic(address, __builtin_return_address(0), [v](T x) EMULATOR -> T { return expression; }); \
    }
EMULATOR_ATOMIC(atomicAdd, x + v)
EMULATOR_ATOMIC(atomicSub, x - v)
EMULATOR_ATOMIC(atomicMax, x > v ? x : v)
EMULATOR_ATOMIC(atomicMin, x < v ? x : v)
EMULATOR_ATOMIC(atomicExch, (static_cast<void>(x), v))
EMULATOR_ATOMIC(atomicAnd, x & v)
EMULATOR_ATOMIC(atomicOr, x | v)
EMULATOR_ATOMIC(atomicXor, x ^ v)
template <class T> EMULATOR_CALL T atomicCAS(T* address, emulation::SameT<T> compare, emulation::SameT<T> v) {
    return emulation::atomic(address, __builtin_return_address(0), [compare, v](T x) EMULATOR -> T { return x == compare ? v : x; });
}

// ---- maths

template <class To, class From> inline To emulator_bits(From v) {
    To r;
    static_assert(sizeof r == sizeof v, "of one size");
    __builtin_memcpy(&r, &v, sizeof r);
    return r;
}
inline float __uint_as_float(unsigned v) { return emulator_bits<float>(v); }
inline float __int_as_float(int v) { return emulator_bits<float>(v); }
inline unsigned __float_as_uint(float v) { return emulator_bits<unsigned>(v); }
inline int __float_as_int(float v) { return emulator_bits<int>(v); }
inline double __longlong_as_double(long long v) { return emulator_bits<double>(v); }
inline long long __double_as_longlong(double v) { return emulator_bits<long long>(v); }

// Both fminf and fmaxf give the number where the other is NaN, on a card as here.
inline int min(int a, int b) { return a < b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline float min(float a, float b) { return fminf(a, b); }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }
inline float max(float a, float b) { return fmaxf(a, b); }

inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline float __frsqrt_rn(float x) { return 1 / sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.f) : 0.f; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline int __float2int_rn(float x) { return static_cast<int>(nearbyintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __float2int_rd(float x) { return static_cast<int>(floorf(x)); }
inline int __float2int_ru(float x) { return static_cast<int>(ceilf(x)); }
inline unsigned __float2uint_rn(float x) { return static_cast<unsigned>(nearbyintf(x)); }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++)
        r |= (x >> i & 1) << (31 - i);
    return r;
}
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
    unsigned long long both = static_cast<unsigned long long>(b) << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) {
        unsigned s = selector >> (4 * i), byte = static_cast<unsigned>(both >> (8 * (s & 7)) & 0xFF);
        r |= (s & 8 ? (byte & 0x80 ? 0xFFu : 0u) : byte) << (8 * i);
    }
    return r;
}
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++)
        c += static_cast<signed char>(a >> (8 * i)) * static_cast<signed char>(b >> (8 * i));
    return c;
}
template <class T> inline T __ldg(const T* address) { return *address; }
template <class T> inline T __ldcs(const T* address) { return *address; }
template <class T> inline T __ldcg(const T* address) { return *address; }
template <class T> inline void __stcs(T* address, emulation::SameT<T> v) { *address = v; }
template <class T> inline void __stcg(T* address, emulation::SameT<T> v) { *address = v; }
