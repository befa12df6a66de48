// Products of tiles of up to 64 × 64 numbers in shared memory, on tensor cores and as exact as float32.
//
// Fragments and their products are those of contracts' product.cuh: each number is split into two tf32, three multiplications a product.
//
// A block has four warps, each with 32 rows by 32 columns of the product.
#pragma once
#include "product.cuh"

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
        if (first_row() >= rows || first_column() >= columns)
            return;
        a += first_row() * (TransposedA ? 1 : Row);
        b += first_column() * (TransposedB ? Row : 1);
#pragma unroll 2
        for (int k = first; k < last; k += Inner) {
            RightFragment right[Part / 8];
            RightFragment::load<TransposedB>(right, b + k * (TransposedB ? 1 : Row), Row);
#pragma unroll
            for (int m = 0; m < Part / 16; m++) {
                LeftFragment left;
                left.load<!TransposedA>(a + m * 16 * (TransposedA ? 1 : Row) + k * (TransposedA ? Row : 1), Row);
                multiply(sums[m], left, right);
            }
        }
    }
};

}
