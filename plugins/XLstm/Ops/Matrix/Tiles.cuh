// Products of tiles of up to 64 × 64 numbers in shared memory, on tensor cores and as exact as float32.
//
// A tf32 has 10 bits of fraction, which is too few for a gradient. So every number is split in two, x = high + low, each a tf32, and a product is
// high·high + high·low + low·high: what is left out is 2^-22 of it. Three multiplications of tensor cores are still fewer cycles than one of
// the others on the cards that these kernels are for (sm_80, sm_90).
//
// A block has four warps, each with 32 rows by 32 columns of the product.
#pragma once
#include "zoo.cuh"

namespace tiles {

using namespace zoo;

constexpr int Size = 64;
constexpr int Threads = 128;
constexpr int Part = 32;        // rows and columns of a warp
constexpr int Inner = 8;        // of one multiplication of the tensor cores
constexpr int Row = Size + 4;   // of a tile in memory: a fragment's lanes meet 32 banks, or 16 where it is transposed
constexpr int Floats = Size * Row;

/// `count` as whole multiplications.
__device__ __forceinline__ int whole(int count) { return (count + Inner - 1) / Inner * Inner; }

/// Asks for a tile, row r from `row(r)` on, which may be null; what it has not is zero. It is there after `arrive`.
template <class RowAt> __device__ void load(float* tile, int rows, int columns, RowAt row) {
    for (int i = threadIdx.x; i < Size * Size / 4; i += Threads) {
        const int r = i / (Size / 4), c = i % (Size / 4) * 4, left = columns - c;
        const float* from = r < rows && left > 0 ? row(r) : nullptr;
        float* to = tile + r * Row + c;
        if (!from) {
            for (int e = 0; e < 4; e++)
                to[e] = 0;
        } else if (reinterpret_cast<u64>(from + c) % 16 == 0) {
            copy_async_16(to, from + c, left < 4 ? 4 * left : 16);
        } else {
            for (int e = 0; e < 4; e++) {
                if (e < left)
                    copy_async_4(to + e, from + c + e);
                else
                    to[e] = 0;
            }
        }
    }
}

/// As above, rows `step` numbers apart.
__device__ __forceinline__ void load(float* tile, const float* from, i64 step, int rows, int columns) {
    load(tile, rows, columns, [=](int r) { return from + r * step; });
}

/// Copies a whole tile to contiguous memory.
__device__ __forceinline__ void store(const float* tile, float* to) {
    for (int i = threadIdx.x; i < Size * Size; i += Threads)
        to[i] = tile[i / Size * Row + i % Size];
}

/// Waits for the block's loads.
__device__ __forceinline__ void arrive() {
    copy_commit();
    copy_wait<0>();
    __syncthreads();
}

/// This warp's part of a product, as the fragments have it.
struct Product {
    float sums[2][4][4];

    __device__ Product() {
#pragma unroll
        for (int i = 0; i < 32; i++)
            sums[i / 16][i / 4 % 4][i % 4] = 0;
    }

    __device__ static int first_row() { return warp() / 2 * Part; }
    __device__ static int first_column() { return warp() % 2 * Part; }

    /// f(row, column, sum) for every element; sums may be changed.
    template <class F> __device__ __forceinline__ void each(F f) {
        each(*this, [&](int row, int column, float& sum, float&) { f(row, column, sum); });
    }

    /// f(row, column, sum, the other's sum) likewise.
    template <class F> __device__ __forceinline__ void each(Product& other, F f) {
        const int row = first_row() + lane() / 4, column = first_column() + 2 * (lane() % 4);
#pragma unroll
        for (int m = 0; m < 2; m++) {
#pragma unroll
            for (int n = 0; n < 4; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    f(row + 16 * m + 8 * (i / 2), column + 8 * n + i % 2, sums[m][n][i], other.sums[m][n][i]);
            }
        }
    }

    /// Adds Σ_k a(m, k) b(k, n) for k from `first` to `last`, multiples of 8; parts beyond `rows` or `columns` are left alone.
    /// a(m, k) is a[m, k], or a[k, m] where it is transposed; b(k, n) likewise b[k, n] or b[n, k].
    template <bool TransposedA, bool TransposedB>
    __device__ void add(const float* a, const float* b, int first, int last, int rows = Size, int columns = Size) {
        const int row = first_row() + lane() / 4, column = first_column() + lane() / 4, t = lane() % 4;
        if (first_row() >= rows || first_column() >= columns)
            return;
        for (int k = first + t; k < last; k += Inner) {
            u32 high[2][4], low[2][4];
#pragma unroll
            for (int m = 0; m < 2; m++) {
#pragma unroll
                for (int r = 0; r < 4; r++) {
                    const int i = row + 16 * m + 8 * (r % 2), j = k + 4 * (r / 2);
                    split(a[TransposedA ? j * Row + i : i * Row + j], high[m][r], low[m][r]);
                }
            }
#pragma unroll
            for (int n = 0; n < 4; n++) {
                if (first_column() + 8 * n >= columns)
                    break;
                u32 b_high[2], b_low[2];
#pragma unroll
                for (int r = 0; r < 2; r++) {
                    const int i = k + 4 * r, j = column + 8 * n;
                    split(b[TransposedB ? j * Row + i : i * Row + j], b_high[r], b_low[r]);
                }
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    mma_tf32(sums[m][n], low[m], b_high);
                    mma_tf32(sums[m][n], high[m], b_low);
                    mma_tf32(sums[m][n], high[m], b_high);
                }
            }
        }
    }

private:
    __device__ static __forceinline__ void split(float x, u32& high, u32& low) {
        high = to_tf32(x);
        low = to_tf32(x - __uint_as_float(high));
    }
};

}
