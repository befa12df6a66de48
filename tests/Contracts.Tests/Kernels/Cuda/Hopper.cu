// What hopper.cuh offers, for HopperHeaderTests.
#include "hopper.cuh"

using namespace zoo;

#if ZOO_HOPPER

/// Rows of `RowBytes` bytes by bulk copies: A (64 of them), then B (`Columns`).
template <int RowBytes, int Columns> __device__ __forceinline__ u8* load(const u8* a, const u8* b) {
    u8* shared = dynamic_shared<u8>();
    u64* there = reinterpret_cast<u64*>(shared + (64 + Columns) * RowBytes);
    if (threadIdx.x == 0) {
        barrier_init(there, 1);
        barrier_init_done();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        barrier_arrive_expecting(there, (64 + Columns) * RowBytes);
        copy_bulk(shared, a, 64 * RowBytes, there);
        copy_bulk(shared + 64 * RowBytes, b, Columns * RowBytes, there);
    }
    barrier_wait(there, 0);
    return shared;
}

template <int Columns, class T> __device__ __forceinline__ void store(const T (&d)[Columns / 2], float* to) {
    for (int i = 0; i < Columns / 2; i++)
        to[(warp() % 4 * 16 + lane() / 4 + i / 2 % 2 * 8) * Columns + i / 4 * 8 + lane() % 4 * 2 + i % 2] = static_cast<float>(d[i]);
}

/// D = A · Bᵀ in whole numbers of 8 bits; rows are the sum's whole length.
template <int RowBytes, int Columns> __device__ __forceinline__ void multiply_s8(const u8* a, const u8* b, float* d) {
    u8* shared = load<RowBytes, Columns>(a, b);
    const u64 rows = matrix_rows<RowBytes>(shared), columns = matrix_rows<RowBytes>(shared + 64 * RowBytes);
    int sum[Columns / 2];
    settle(sum);
    group_mma_begin();
    for (int k = 0; k < RowBytes; k += 32)
        group_mma_s8(sum, further(rows, k), further(columns, k), k > 0);
    group_mma_commit();
    group_mma_wait<0>();
    settle(sum);
    store<Columns>(sum, d);
}
extern "C" __global__ void group_s8_64_64(const u8* a, const u8* b, float* d) { multiply_s8<64, 64>(a, b, d); }
extern "C" __global__ void group_s8_128_128(const u8* a, const u8* b, float* d) { multiply_s8<128, 128>(a, b, d); }

/// The same in e4m3, with A from registers; `a` lies row by row, unchanged. Without `Wait`, the result is read too early.
template <int RowBytes, int Columns, bool Wait> __device__ __forceinline__ void multiply_e4m3(const u8* a, const u8* b, float* d) {
    u8* shared = load<RowBytes, Columns>(a, b);
    const u64 columns = matrix_rows<RowBytes>(shared + 64 * RowBytes);
    const u32* words = reinterpret_cast<const u32*>(a);
    u32 factor[RowBytes / 32][4];
    for (int k = 0; k < RowBytes / 32; k++) {
        for (int r = 0; r < 4; r++)
            factor[k][r] = words[(warp() % 4 * 16 + lane() / 4 + r % 2 * 8) * (RowBytes / 4) + k * 8 + r / 2 * 4 + lane() % 4];
    }
    float sum[Columns / 2];
    settle(sum);
    group_mma_begin();
    for (int k = 0; k < RowBytes / 32; k++)
        group_mma_e4m3(sum, factor[k], further(columns, k * 32), k > 0);
    group_mma_commit();
    if (Wait)
        group_mma_wait<0>();
    else
        group_mma_wait<1>();
    settle(sum);
    store<Columns>(sum, d);
}
extern "C" __global__ void group_e4m3_64_64(const u8* a, const u8* b, float* d) { multiply_e4m3<64, 64, true>(a, b, d); }
extern "C" __global__ void group_e4m3_64_72(const u8* a, const u8* b, float* d) { multiply_e4m3<64, 72, true>(a, b, d); }
extern "C" __global__ void group_e4m3_128_128(const u8* a, const u8* b, float* d) { multiply_e4m3<128, 128, true>(a, b, d); }
extern "C" __global__ void group_e4m3_128_136(const u8* a, const u8* b, float* d) { multiply_e4m3<128, 136, true>(a, b, d); }
extern "C" __global__ void group_not_waited_for(const u8* a, const u8* b, float* d) { multiply_e4m3<64, 64, false>(a, b, d); }

/// Copies four tiles of 32 numbers through a ring of two stages; one thread fills it. `Announced`: bytes of a tile that the barrier is told of.
template <bool Wait, int Announced> __device__ __forceinline__ void ring(const float* x, float* y) {
    float* stages = dynamic_shared<float>();
    u64 *full = reinterpret_cast<u64*>(stages + 64), *empty = full + 2;
    if (threadIdx.x == 0) {
        for (int s = 0; s < 2; s++) {
            barrier_init(full + s, 1);
            barrier_init(empty + s, 32);
        }
        barrier_init_done();
    }
    __syncthreads();
    for (int tile = 0; tile < 4; tile++) {
        const int s = tile % 2;
        if (threadIdx.x == 0) {
            if (tile >= 2)
                barrier_wait(empty + s, tile / 2 - 1);
            barrier_arrive_expecting(full + s, Announced);
            copy_bulk(stages + s * 32, x + tile * 32, 128, full + s);
        }
        __syncwarp();
        if (Wait)
            barrier_wait(full + s, tile / 2);
        y[tile * 32 + threadIdx.x] = stages[s * 32 + threadIdx.x];
        barrier_arrive(empty + s);
    }
}
extern "C" __global__ void ring_right(const float* x, float* y) { ring<true, 128>(x, y); }
extern "C" __global__ void ring_not_waited_for(const float* x, float* y) { ring<false, 128>(x, y); }
extern "C" __global__ void ring_that_waits_for_more(const float* x, float* y) { ring<true, 256>(x, y); }

#endif
