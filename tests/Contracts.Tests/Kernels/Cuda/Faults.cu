// Kernels with one planted fault each: the emulator must see it.
#include "zoo.cuh"

using namespace zoo;

/// Reverses 64 numbers through shared memory.
template <bool Synchronise> __device__ void reverse(const float* x, float* y) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    if (Synchronise)
        __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

extern "C" __global__ void reverse_right(const float* x, float* y) { reverse<true>(x, y); }
extern "C" __global__ void reverse_without_barrier(const float* x, float* y) { reverse<false>(x, y); }

/// As reverse_without_barrier in bytes, which the emulator does not watch one by one: two schedules show it.
extern "C" __global__ void reverse_bytes_without_barrier(const u8* x, u8* y) {
    __shared__ u8 tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

/// Every thread adds to one number of global memory, which nothing orders.
extern "C" __global__ void race_in_global_memory(float* y) {
    y[0] = y[0] * 0.5f + threadIdx.x;
    __syncthreads();
}

/// A block reads what another one wrote.
extern "C" __global__ void race_between_blocks(const float* x, float* y) {
    const int next = (blockIdx.x + 1) % gridDim.x;
    y[blockIdx.x] = x[blockIdx.x] + (y[next] == y[next] ? y[next] : 0);
}

extern "C" __global__ void write_past_shared(const float* x, float* y) {
    __shared__ float first[33];
    __shared__ float second[33];
    first[threadIdx.x] = x[threadIdx.x];
    second[threadIdx.x] = x[threadIdx.x];
    float* past = first + 2;
    if (threadIdx.x == 31)
        past[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = first[31 - threadIdx.x] + second[31 - threadIdx.x];
}

extern "C" __global__ void write_past_dynamic(const float* x, float* y, int count) {
    float* tile = dynamic_shared<float>();
    tile[threadIdx.x] = x[threadIdx.x];
    tile[count] = 1;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void write_at(float* y, int index) { y[index] = 1; }
extern "C" __global__ void read_at(const float* x, float* y, int index) { y[0] = x[index]; }
extern "C" __global__ void read_wide_at(const float* x, float* y, int index) { y[0] = reinterpret_cast<const float4*>(x + index)->y; }

extern "C" __global__ void write_in_row(float* y, int column) {
    __shared__ float tile[2][8];
    tile[0][column] = 1;
    tile[1][0] = 2;
    y[0] = tile[0][column];
}

extern "C" __global__ void divide(float* y, int a, int b) { y[0] = static_cast<float>(a / b); }

extern "C" __global__ void barrier_in_a_branch(float* y) {
    if (threadIdx.x < 40)
        __syncthreads();
    y[threadIdx.x] = __shfl_xor_sync(WholeWarp, static_cast<float>(threadIdx.x), 1);
}

extern "C" __global__ void two_barriers(float* y) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 0;
}

extern "C" __global__ void shuffle_from_inactive_lane(float* y) {
    if (threadIdx.x < 16)
        y[threadIdx.x] = __shfl_down_sync(0xFFFF, static_cast<float>(threadIdx.x), 8);
}

extern "C" __global__ void shuffle_from_ended_lane(float* y) {
    if (threadIdx.x >= 24)
        return;
    y[threadIdx.x] = __shfl_down_sync(WholeWarp, static_cast<float>(threadIdx.x), 1);
}

extern "C" __global__ void shuffle_not_named(float* y) { y[threadIdx.x] = __shfl_xor_sync(0xFFFF, static_cast<float>(threadIdx.x), 1); }

extern "C" __global__ void shuffle_without_a_lane(float* y) {
    float v = 0;
    if (threadIdx.x != 3)
        v = __shfl_xor_sync(WholeWarp, static_cast<float>(threadIdx.x), 1);
    __syncthreads();
    y[threadIdx.x] = v;
}

/// Reads what a copy brings before it was waited for.
template <bool Wait> __device__ void copied(const float* x, float* y) {
    __shared__ __align__(16) float tile[128];
    copy_async_16(tile + 4 * threadIdx.x, x + 4 * threadIdx.x);
    copy_commit();
    if (Wait)
        copy_wait<0>();
    __syncthreads();
    for (int i = 0; i < 4; i++)
        y[32 * i + threadIdx.x] = tile[127 - (32 * i + threadIdx.x)];
}

extern "C" __global__ void copy_right(const float* x, float* y) { copied<true>(x, y); }
extern "C" __global__ void copy_not_waited_for(const float* x, float* y) { copied<false>(x, y); }

extern "C" __global__ void uninitialised(float* y) {
    __shared__ float tile[32];
    if (threadIdx.x == 0)
        tile[0] = 1;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void waits_for_another_block(volatile int* flag, float* y) {
    if (blockIdx.x == 0)
        while (flag[0] != 1)
            ;
    flag[0] = 1;
    y[0] = 1;
}

/// A neighbour's number within a warp, without __syncwarp.
template <bool Synchronise> __device__ void neighbour(const float* x, float* y) {
    __shared__ float tile[32];
    tile[threadIdx.x] = x[threadIdx.x];
    if (Synchronise)
        __syncwarp();
    y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

extern "C" __global__ void neighbour_right(const float* x, float* y) { neighbour<true>(x, y); }
extern "C" __global__ void neighbour_without_barrier(const float* x, float* y) { neighbour<false>(x, y); }
