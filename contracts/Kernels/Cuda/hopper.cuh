// What only sm_90a has: barriers that count bytes, bulk copies that arrive at them, and matrices of a group of four warps that read their factors from
// shared memory while the warps go on. `ZOO_HOPPER` says whether they are there. As in zoo.cuh, every instruction has its C++ twin.
#pragma once
#include "zoo.cuh"

#ifdef ZOO_EMULATION
#define ZOO_HOPPER (__CUDA_ARCH__ >= 900)
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define ZOO_HOPPER 1
#else
#define ZOO_HOPPER 0
#endif

#if ZOO_HOPPER
namespace zoo {

// ---- barriers in shared memory. A phase ends when as many threads have arrived as `barrier_init` says and all bytes that were announced are there;
//      then the next one begins. Phases have the numbers 0, 1, 0, 1, …: whoever waits for a phase must do so before the next but one has begun.

/// For one thread, and a __syncthreads after `barrier_init_done`.
__device__ __forceinline__ void barrier_init(u64* barrier, int arrivals) {
#ifdef ZOO_EMULATION
    emulation::barrier_init(barrier, arrivals);
#else
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
#endif
}

/// After the last barrier_init, by the same thread: copies see them.
__device__ __forceinline__ void barrier_init_done() {
#ifndef ZOO_EMULATION
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

__device__ __forceinline__ void barrier_arrive(u64* barrier) {
#ifdef ZOO_EMULATION
    emulation::barrier_arrive(barrier, 0);
#else
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
#endif
}

/// Arrives, and announces so many bytes of bulk copies.
__device__ __forceinline__ void barrier_arrive_expecting(u64* barrier, int bytes) {
#ifdef ZOO_EMULATION
    emulation::barrier_arrive(barrier, bytes);
#else
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
#endif
}

/// Waits for the end of the phase of that number, 0 or 1.
__device__ __forceinline__ void barrier_wait(u64* barrier, u32 phase) {
#ifdef ZOO_EMULATION
    emulation::barrier_wait(barrier, phase);
#else
    asm volatile("{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}"
        ::"r"(shared_address(barrier)), "r"(phase) : "memory");
#endif
}

/// One thread asks for a copy of `bytes` bytes, which arrive at the barrier; addresses and bytes are multiples of 16.
__device__ __forceinline__ void copy_bulk(void* shared, const void* global, int bytes, u64* barrier) {
#ifdef ZOO_EMULATION
    emulation::copy_bulk(shared, global, bytes, barrier);
#else
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
        ::"r"(shared_address(shared)), "l"(global), "r"(bytes), "r"(shared_address(barrier)) : "memory");
#endif
}

// ---- matrices of four warps, 128 threads whose number begins at a multiple of 128. All of them call these functions together.
//      Factors in shared memory lie row by row, a row along the sum: A has 64 rows, B as many as the result has columns. The 16-byte chunk c of row r
//      lies at chunk c ^ (r & 7) of rows of 128 bytes, at c ^ (r / 2 & 3) of rows of 64 bytes. D: warp w has rows 16 w to 16 w + 15, as `mma_` functions
//      lay out a result, columns in eights one after the other: number 4 j + i is row g + 8 (i / 2), column 8 j + 2 t + i % 2. A in registers likewise.

/// Rows of 64 or 128 bytes in shared memory, beginning at a multiple of 8 of them.
template <int RowBytes> __device__ __forceinline__ u64 matrix_rows(const void* shared) {
    static_assert(RowBytes == 64 || RowBytes == 128, "rows have 64 or 128 bytes");
#ifdef ZOO_EMULATION
    const u64 address = emulation::shared_offset(shared);
#else
    const u64 address = shared_address(shared);
#endif
    return (address & 0x3FFFF) >> 4 | 1ull << 16 | static_cast<u64>(8 * RowBytes >> 4) << 32 | static_cast<u64>(RowBytes == 128 ? 1 : 2) << 62;
}

/// The rows that begin so many bytes further, a multiple of 16: 32 along the rows for the next product of a sum, or another array of the same layout.
__device__ __forceinline__ u64 further(u64 rows, u32 bytes) { return rows >> 32 << 32 | (static_cast<u32>(rows) + (bytes >> 4)); }

/// By whoever wrote shared memory that products read, before a barrier.
__device__ __forceinline__ void shared_written() {
#ifndef ZOO_EMULATION
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

/// Before the first product after registers of a result or a factor were written.
__device__ __forceinline__ void group_mma_begin() {
#ifndef ZOO_EMULATION
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

/// Ends a group of products, for `group_mma_wait`.
__device__ __forceinline__ void group_mma_commit() {
#ifdef ZOO_EMULATION
    emulation::group_mma_commit();
#else
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

/// Waits until all but the last `Pending` groups are done. Their results are there after `settle` on each.
template <int Pending> __device__ __forceinline__ void group_mma_wait() {
#ifdef ZOO_EMULATION
    emulation::group_mma_wait(Pending);
#else
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#endif
}

/// What reads or writes these registers stays on its side of this line.
template <class T, int N> __device__ __forceinline__ void settle(T (&d)[N]) {
#ifndef ZOO_EMULATION
#pragma unroll
    for (int i = 0; i < N; i++) {
        if constexpr (static_cast<T>(0.5f) != 0)
            asm volatile("" : "+f"(d[i])::"memory");
        else
            asm volatile("" : "+r"(d[i])::"memory");
    }
#endif
}

#define ZOO_4(c, d, i) c(d[(i)]), c(d[(i) + 1]), c(d[(i) + 2]), c(d[(i) + 3])
#define ZOO_16(c, d, i) ZOO_4(c, d, i), ZOO_4(c, d, (i) + 4), ZOO_4(c, d, (i) + 8), ZOO_4(c, d, (i) + 12)
#define ZOO_32(c, d) ZOO_16(c, d, 0), ZOO_16(c, d, 16)
#define ZOO_64(c, d) ZOO_32(c, d), ZOO_16(c, d, 32), ZOO_16(c, d, 48)
#define ZOO_36(c, d) ZOO_32(c, d), ZOO_4(c, d, 32)
#define ZOO_68(c, d) ZOO_64(c, d), ZOO_4(c, d, 64)
#define ZOO_NAMES_32 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ZOO_NAMES_64 \
    ZOO_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, " \
    "%58, %59, %60, %61, %62, %63"

/// d = a · b, or d += where `add`, over 64 × 64 × 32 in whole numbers of 8 bits, exact.
__device__ __forceinline__ void group_mma_s8(int (&d)[32], u64 a, u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::Int8>(d, 32, nullptr, a, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\nwgmma.mma_async.sync.aligned.m64n64k32.s32.s8.s8 {" ZOO_NAMES_32 "}, %32, %33, add;\n}"
        : ZOO_32("+r", d) : "l"(a), "l"(b), "r"(static_cast<int>(add)));
#endif
}

/// The same over 64 × 128 × 32.
__device__ __forceinline__ void group_mma_s8(int (&d)[64], u64 a, u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::Int8>(d, 64, nullptr, a, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\nwgmma.mma_async.sync.aligned.m64n128k32.s32.s8.s8 {" ZOO_NAMES_64 "}, %64, %65, add;\n}"
        : ZOO_64("+r", d) : "l"(a), "l"(b), "r"(static_cast<int>(add)));
#endif
}

/// d = a · b, or d += where `add`, over 64 × 64 × 32 in fp8 e4m3. The hardware sums with fewer bits than float has. `a` is in registers, which must
/// not change before the product is done.
__device__ __forceinline__ void group_mma_e4m3(float (&d)[32], const u32 (&a)[4], u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::E4m3>(d, 32, a, 0, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\nwgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3 {" ZOO_NAMES_32
        "}, {%32, %33, %34, %35}, %36, add, 1, 1;\n}"
        : ZOO_32("+f", d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
#endif
}

/// The same over 64 × 128 × 32.
__device__ __forceinline__ void group_mma_e4m3(float (&d)[64], const u32 (&a)[4], u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::E4m3>(d, 64, a, 0, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %69, 0;\nwgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {" ZOO_NAMES_64
        "}, {%64, %65, %66, %67}, %68, add, 1, 1;\n}"
        : ZOO_64("+f", d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
#endif
}

/// The same over 64 × 72 × 32: eight columns more, such as one of ones, whose result is the sum of a row of `a`.
__device__ __forceinline__ void group_mma_e4m3(float (&d)[36], const u32 (&a)[4], u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::E4m3>(d, 36, a, 0, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %41, 0;\nwgmma.mma_async.sync.aligned.m64n72k32.f32.e4m3.e4m3 {" ZOO_NAMES_32
        ", %32, %33, %34, %35}, {%36, %37, %38, %39}, %40, add, 1, 1;\n}"
        : ZOO_36("+f", d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
#endif
}

/// The same over 64 × 136 × 32.
__device__ __forceinline__ void group_mma_e4m3(float (&d)[68], const u32 (&a)[4], u64 b, bool add) {
#ifdef ZOO_EMULATION
    emulation::group_multiply<emulation::E4m3>(d, 68, a, 0, b, add);
#else
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, %73, 0;\nwgmma.mma_async.sync.aligned.m64n136k32.f32.e4m3.e4m3 {" ZOO_NAMES_64
        ", %64, %65, %66, %67}, {%68, %69, %70, %71}, %72, add, 1, 1;\n}"
        : ZOO_68("+f", d) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(add)));
#endif
}

#undef ZOO_4
#undef ZOO_16
#undef ZOO_32
#undef ZOO_64
#undef ZOO_36
#undef ZOO_68
#undef ZOO_NAMES_32
#undef ZOO_NAMES_64

}
#endif
