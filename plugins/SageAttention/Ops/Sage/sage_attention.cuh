// Attention by products of a warp: cards before Hopper, and weights of 16 bits everywhere.
//
// A block has 128 queries of a head. Tiles of 64 keys and values come by cp.async, one ahead. Scores are s8 products; the softmax runs in registers; weights
// go from the layout of a result to that of a factor without a shuffle, in FP8 because values are stored with their tokens in that order.
#pragma once
#include "sage_scores.cuh"

constexpr int TileQueries = 128;
constexpr int TileKeys = 64;

/// In what the second product's factors are.
enum class Kind { E4M3, Fp16, Bf16 };

template <Kind Product, int Dims> struct Layout {
    static constexpr bool Bytes = Product == Kind::E4M3;
    static constexpr int RowTiles = Dims == 64 ? 2 : 1;         // of 16 queries a warp: results of wide heads fill the registers
    static constexpr int Threads = TileQueries / (16 * RowTiles) * WarpSize;
    static constexpr int ValueRowBytes = Bytes ? TileKeys : Dims * 2;
    static constexpr int QueryBytes = TileQueries * Dims, KeyBytes = TileKeys * Dims, ValueBytes = KeyBytes * (Bytes ? 1 : 2);
    static constexpr int StageBytes = KeyBytes + ValueBytes + TileKeys * 4;
};

template <int RowBytes> __device__ __forceinline__ int place(int row, int chunk) { return row * RowBytes + swapped<RowBytes>(row, chunk) * 16; }

template <int Bytes, int Threads> __device__ __forceinline__ void load_bytes(u8* shared, const u8* source) {
#pragma unroll
    for (int i = threadIdx.x * 16; i < Bytes; i += Threads * 16)
        copy_async_16(shared + i, source + i);
}

/// The n-th eight of columns of a row of results.
template <int Count> __device__ __forceinline__ void multiply(int (&products)[Count], int n, const u32 (&a)[4], const u32 (&b)[2]) {
    mma_s8(*reinterpret_cast<int(*)[4]>(products + n * 4), a, b);
}

template <Kind Product, int Dims> __device__ __forceinline__ void attend(const Call& call) {
    using Sizes = Layout<Product, Dims>;
    constexpr int RowTiles = Sizes::RowTiles, KeyTiles = TileKeys / 8, DimTiles = Dims / 8, Threads = Sizes::Threads;
    u8* shared = dynamic_shared<u8>();
    const int block = gridDim.x - 1 - blockIdx.x;               // the longest first
    const i64 row = blockIdx.y, key_row = call.key_row(row);
    const int first = block * TileQueries, mine = first + warp() * RowTiles * 16, g = lane() / 4;
    const int tiles = (call.seen(first + TileQueries - 1) + TileKeys - 1) / TileKeys;
    const u8 *k = call.k + key_row * call.padded_keys * Dims, *v = call.v + key_row * call.padded_keys * Dims * (Sizes::Bytes ? 1 : 2);
    const float *key_scales = call.key_scales + key_row * call.padded_keys, *correction = call.corrections(row, first);

    auto load = [&](int tile) {
        u8* stage = shared + Sizes::QueryBytes + tile % 2 * Sizes::StageBytes;
        load_bytes<Sizes::KeyBytes, Threads>(stage, k + static_cast<i64>(tile) * Sizes::KeyBytes);
        load_bytes<Sizes::ValueBytes, Threads>(stage + Sizes::KeyBytes, v + static_cast<i64>(tile) * Sizes::ValueBytes);
        load_bytes<TileKeys * 4, Threads>(stage + Sizes::KeyBytes + Sizes::ValueBytes, reinterpret_cast<const u8*>(key_scales + tile * TileKeys));
        copy_commit();
    };

    float sums[RowTiles][DimTiles * 4], largest[RowTiles][2], total[RowTiles][2], query_scale[RowTiles][2];
#pragma unroll
    for (int m = 0; m < RowTiles; m++) {
#pragma unroll
        for (int i = 0; i < DimTiles * 4; i++)
            sums[m][i] = 0;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            largest[m][half] = -infinity();
            total[m][half] = 0;
            query_scale[m][half] = call.query_scale(row, mine + m * 16 + half * 8 + g);
        }
    }
    if (tiles > 0) {
        load_bytes<Sizes::QueryBytes, Threads>(shared, call.q + (row * call.padded_queries + first) * Dims);
        load(0);
    }
    for (int tile = 0; tile < tiles; tile++) {
        copy_wait<0>();
        __syncthreads();                                        // this tile is there for all, and all are done with the one before
        if (tile + 1 < tiles)
            load(tile + 1);
        const u8* stage = shared + Sizes::QueryBytes + tile % 2 * Sizes::StageBytes;
        const u8* values = stage + Sizes::KeyBytes;
        const float* factors = reinterpret_cast<const float*>(values + Sizes::ValueBytes);

        int products[RowTiles][KeyTiles * 4];
#pragma unroll
        for (int m = 0; m < RowTiles; m++) {
#pragma unroll
            for (int i = 0; i < KeyTiles * 4; i++)
                products[m][i] = 0;
        }
#pragma unroll
        for (int step = 0; step < Dims / 32; step++) {
            u32 a[RowTiles][4];
#pragma unroll
            for (int m = 0; m < RowTiles; m++)
                load_matrix(a[m], shared + place<Dims>((warp() * RowTiles + m) * 16 + lane() % 16, step * 2 + lane() / 16));
#pragma unroll
            for (int n = 0; n < KeyTiles; n += 2) {
                u32 b[4];
                load_matrix(b, stage + place<Dims>(n * 8 + lane() % 8 + lane() / 16 * 8, step * 2 + lane() / 8 % 2));
                const u32 b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
#pragma unroll
                for (int m = 0; m < RowTiles; m++) {
                    multiply(products[m], n, a[m], b0);
                    multiply(products[m], n + 1, a[m], b1);
                }
            }
        }

        const int from = tile * TileKeys;
        u32 weights[RowTiles][KeyTiles][2];                      // two rows of 16-bit pairs, or the two halves of a word of bytes
        float shrink[RowTiles][2];
#pragma unroll
        for (int m = 0; m < RowTiles; m++) {
            const int query = mine + m * 16;
            Scores<KeyTiles * 4> scores;
            scores.template soften<true, 0>(products[m], call, factors, correction, from, query + g, tile < call.simple_tiles(query, TileKeys), query_scale[m], Sizes::Bytes ? Log2Of448 : 0, largest[m], total[m], shrink[m]);
#pragma unroll
            for (int n = 0; n < KeyTiles; n++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    if (Product == Kind::Bf16)
                        weights[m][n][half] = pack_bf16(scores.numbers[n * 4 + half * 2], scores.numbers[n * 4 + half * 2 + 1]);
                    else if (Product == Kind::Fp16)
                        weights[m][n][half] = pack_fp16(scores.numbers[n * 4 + half * 2], scores.numbers[n * 4 + half * 2 + 1]);
                    else if (n % 2 == 0)
                        weights[m][n][half] = scores.packed_e4m3(n, half);
                }
            }
        }

        // The tile's sum first by itself, then added in float: sums of FP8 have fewer bits in tensor cores (two levels, paper section 3.4).
#pragma unroll
        for (int j = 0; j < DimTiles; j++) {
            float added[RowTiles][4];
#pragma unroll
            for (int m = 0; m < RowTiles; m++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    added[m][i] = 0;
            }
            if (Product == Kind::E4M3) {
                u32 b[4];
                load_matrix(b, values + place<Sizes::ValueRowBytes>(j * 8 + lane() % 8, lane() / 8));
#pragma unroll
                for (int step = 0; step < 2; step++) {
                    [[maybe_unused]] const u32 half[2] = {b[step * 2], b[step * 2 + 1]};
#pragma unroll
                    for (int m = 0; m < RowTiles; m++) {
                        [[maybe_unused]] const u32 a[4] = {weights[m][step * 4][0], weights[m][step * 4][1], weights[m][step * 4 + 2][0], weights[m][step * 4 + 2][1]};
#if __CUDA_ARCH__ >= 890
                        mma_e4m3(added[m], a, half);
#endif
                    }
                }
            } else {
#pragma unroll
                for (int pair = 0; pair < 2; pair++) {
                    u32 b[4];
                    load_matrix_transposed(b, values + place<Sizes::ValueRowBytes>(pair * 32 + lane(), j));
#pragma unroll
                    for (int step = 0; step < 2; step++) {
                        const u32 half[2] = {b[step * 2], b[step * 2 + 1]};
                        const int n = pair * 4 + step * 2;
#pragma unroll
                        for (int m = 0; m < RowTiles; m++) {
                            const u32 a[4] = {weights[m][n][0], weights[m][n][1], weights[m][n + 1][0], weights[m][n + 1][1]};
                            if (Product == Kind::Bf16)
                                mma_bf16(added[m], a, half);
                            else
                                mma_fp16(added[m], a, half);
                        }
                    }
                }
            }
#pragma unroll
            for (int m = 0; m < RowTiles; m++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    sums[m][j * 4 + i] = fmaf(sums[m][j * 4 + i], shrink[m][i / 2], added[m][i]);
            }
        }
    }
#pragma unroll
    for (int m = 0; m < RowTiles; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++)
            store<Dims>(call, row, mine + m * 16 + half * 8 + g, half, sums[m], total[m][half]);
    }
}

#define SAGE_ATTENTION(name, product, dims) \
    extern "C" __global__ void __launch_bounds__((Layout<product, dims>::Threads)) name(SAGE_PARAMETERS) { attend<product, dims>(SAGE_CALL); }
