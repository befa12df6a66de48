// Calls what zoo.cuh has, for HeaderTests.
#include "zoo.cuh"

using namespace zoo;

/// D (16 × 8) = A (16 rows of 32 bytes) · B (8 columns of 32 bytes): whatever the elements are, rows are loaded alike.
template <class Number, class Multiply> __device__ void multiply(const u32* a, const u32* b, Number* d, Multiply multiply) {
    __shared__ __align__(16) u32 rows[16][8];
    __shared__ __align__(16) u32 columns[8][8];
    const int l = threadIdx.x;
    for (int i = l; i < 128; i += 32)
        rows[i / 8][i % 8] = a[i];
    for (int i = l; i < 64; i += 32)
        columns[i / 8][i % 8] = b[i];
    __syncthreads();
    u32 fa[4], fb[2];
    load_matrix(fa, &rows[l % 8 + l / 8 % 2 * 8][l / 16 * 4]);
    load_matrix(fb, &columns[l % 8][l / 8 % 2 * 4]);
    Number sum[4] = {0, 0, 0, 0};
    multiply(sum, fa, fb);
    for (int i = 0; i < 4; i++)
        d[(l / 4 + i / 2 * 8) * 8 + l % 4 * 2 + i % 2] = sum[i];
}

extern "C" __global__ void multiply_tf32(const u32* a, const u32* b, float* d) {
    multiply(a, b, d, [](float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_tf32(d, a, b); });
}
extern "C" __global__ void multiply_bf16(const u32* a, const u32* b, float* d) {
    multiply(a, b, d, [](float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_bf16(d, a, b); });
}
extern "C" __global__ void multiply_fp16(const u32* a, const u32* b, float* d) {
    multiply(a, b, d, [](float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_fp16(d, a, b); });
}
extern "C" __global__ void multiply_s8(const u32* a, const u32* b, int* d) {
    multiply(a, b, d, [](int (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_s8(d, a, b); });
}
#if __CUDA_ARCH__ >= 890
extern "C" __global__ void multiply_e4m3(const u32* a, const u32* b, float* d) {
    multiply(a, b, d, [](float (&d)[4], const u32 (&a)[4], const u32 (&b)[2]) { mma_e4m3(d, a, b); });
}
#endif

/// D = A · B in bf16 with B as it lies in memory, [16][8]: the transposing load.
extern "C" __global__ void multiply_transposed(const u32* a, const u32* b, float* d) {
    __shared__ __align__(16) u32 rows[16][8];
    __shared__ __align__(16) u32 other[16][4];
    const int l = threadIdx.x;
    for (int i = l; i < 128; i += 32)
        rows[i / 8][i % 8] = a[i];
    for (int i = l; i < 64; i += 32)
        other[i / 4][i % 4] = b[i];
    __syncthreads();
    u32 fa[4], fb[2], all[4];
    load_matrix(fa, &rows[l % 16][l / 16 * 4]);
    load_matrix_transposed(fb, &other[l % 16][0]);
    load_matrix_transposed(all, &rows[l % 16][l / 16 * 4]);
    float sum[4] = {0, 0, 0, 0};
    mma_bf16(sum, fa, fb);
    for (int i = 0; i < 4; i++)
        d[(l / 4 + i / 2 * 8) * 8 + l % 4 * 2 + i % 2] = sum[i];
    // Transposed twice is as before: element (2t, g) of a matrix is the transposed one's (g, 2t).
    const u32 expected = rows[l % 4 * 2][l / 8] >> (l / 4 % 2 * 16) & 0xFFFF;
    d[128 + l] = (all[0] & 0xFFFF) == expected ? 1 : 0;
}

extern "C" __global__ void convert(const float* x, float* as_bf16, float* as_fp16, float* as_e4m3, float* as_tf32, float* packed, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    as_bf16[i] = to_float(from_float<bf16>(x[i]));
    as_fp16[i] = to_float(from_float<fp16>(x[i]));
    as_e4m3[i] = to_float(from_float<e4m3>(x[i]));
    as_tf32[i] = __uint_as_float(to_tf32(x[i]));
    const float next = x[(i + 1) % count];
    bool same = pack_bf16(x[i], next) == (from_float<bf16>(x[i]).bits | static_cast<u32>(from_float<bf16>(next).bits) << 16);
    same &= pack_fp16(x[i], next) == (from_float<fp16>(x[i]).bits | static_cast<u32>(from_float<fp16>(next).bits) << 16);
    same &= pack_e4m3(x[i], 0, 0, next) == (from_float<e4m3>(x[i]).bits | static_cast<u32>(from_float<e4m3>(next).bits) << 24);
    packed[i] = same ? 1 : 0;
}

/// Every number that each small type has.
extern "C" __global__ void decode(float* all_e4m3, float* all_fp16, float* all_bf16) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < 256)
        all_e4m3[i] = to_float(e4m3{static_cast<u8>(i)});
    all_fp16[i] = to_float(fp16{static_cast<u16>(i)});
    all_bf16[i] = to_float(bf16{static_cast<u16>(i)});
}

extern "C" __global__ void functions(const float* x, float* exp, float* log, float* sigmoids, float* silus, float* softplusses, float* tanhs, float* exact, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    exp[i] = fast_exp(x[i]);
    log[i] = fast_log(x[i]);
    sigmoids[i] = fast_sigmoid(x[i]);
    silus[i] = fast_silu(x[i]);
    softplusses[i] = fast_softplus(x[i]);
    tanhs[i] = fast_tanh(x[i]);
    exact[3 * i] = sigmoid(x[i]);
    exact[3 * i + 1] = silu(x[i]);
    exact[3 * i + 2] = softplus(x[i]);
}

/// One block of 128 threads.
extern "C" __global__ void reduce(const float* x, float* warp_sums, float* warp_maxima, float* warp_scans, float* block_sums, float* block_maxima, float* block_minima, float* block_scans) {
    const int i = threadIdx.x;
    warp_sums[i] = warp_sum(x[i]);
    warp_maxima[i] = warp_max(x[i]);
    warp_scans[i] = warp_scan(x[i], Sum());
    block_sums[i] = block_sum<128>(x[i]);
    block_maxima[i] = block_max<128>(x[i]);
    block_minima[i] = block_reduce<128>(x[i], Minimum());
    block_scans[i] = block_scan<128>(x[i], Sum());
}

/// A pipeline of two stages: y is x, with zeros where `valid` bytes of the last 16 end.
extern "C" __global__ void pipeline(const float* x, float* y, float* singles, int tiles, int valid) {
    __shared__ __align__(16) float stage[2][128];
    __shared__ float single[32];
    const int l = threadIdx.x;
    copy_async_16(&stage[0][4 * l], x + 4 * l);
    copy_commit();
    for (int tile = 0; tile < tiles; tile++) {
        if (tile + 1 < tiles) {
            const bool last = tile + 2 == tiles && l == 31;
            if (last)
                copy_async_16(&stage[(tile + 1) % 2][4 * l], x + 128 * (tile + 1) + 4 * l, valid);
            else
                copy_async_16(&stage[(tile + 1) % 2][4 * l], x + 128 * (tile + 1) + 4 * l);
            copy_commit();
            copy_wait<1>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        for (int i = l; i < 128; i += 32)
            y[128 * tile + i] = stage[tile % 2][i];
        __syncthreads();
    }
    copy_async_4(&single[l], x + l, l % 2 == 0);
    copy_commit();
    copy_wait<0>();
    singles[l] = single[l];
}

extern "C" __global__ void votes(float* ballots, float* others) {
    const int l = threadIdx.x;
    ballots[l] = static_cast<float>(__ballot_sync(WholeWarp, l % 3 == 0) & 0xFFFF);
    others[l] = __any_sync(WholeWarp, l == 5) + 2 * __all_sync(WholeWarp, l < 31) + 4 * __syncthreads_count(l < 10) + 1000 * (__syncthreads_or(l == 3) != 0)
        + 2000 * (__syncthreads_and(l == 3) != 0) + 10000.f * __reduce_add_sync(WholeWarp, static_cast<unsigned>(l));
}

extern "C" __global__ void shuffles(float* results) {
    const int l = threadIdx.x;
    const float v = static_cast<float>(l);
    results[l] = __shfl_sync(WholeWarp, v, 3, 8);
    results[32 + l] = __shfl_up_sync(WholeWarp, v, 2, 8);
    results[64 + l] = __shfl_down_sync(WholeWarp, v, 2, 8);
    results[96 + l] = __shfl_xor_sync(WholeWarp, v, 5);
}

extern "C" __global__ void count_atomically(int* counts, float* order) {
    __shared__ int here;
    if (threadIdx.x == 0)
        here = 0;
    __syncthreads();
    atomicAdd(&here, 1);
    atomicMax(&counts[1], static_cast<int>(threadIdx.x));
    __syncthreads();
    if (threadIdx.x == 0)
        atomicAdd(&counts[0], here);
    order[0] = 1;
}

extern "C" __global__ void dynamic(const float* x, float* y, int count) {
    float* all = dynamic_shared<float>();
    for (int i = threadIdx.x; i < count; i += blockDim.x)
        all[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += blockDim.x)
        y[i] = all[count - 1 - i];
}

extern "C" __global__ void where(float* y) {
    const int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const int threads = blockDim.x * blockDim.y * blockDim.z;
    y[block * threads + thread_number()] = static_cast<float>(threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z + 1000 * lane() + 100000 * warp());
}
