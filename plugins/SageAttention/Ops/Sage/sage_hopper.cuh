// Attention on Hopper: both products by groups of four warps, weights in FP8.
//
// A block has Groups times 64 queries of a head. Tiles of keys and values come by bulk copies into a ring of stages, which one thread fills: barriers say
// when a stage is full, and when all groups are done with it, so that groups need not keep pace. While tensor cores multiply the next tile's keys and this
// tile's weights, the group softens the tile before: its weights stay in registers as the second product's factor.
#pragma once
#include "hopper.cuh"
#include "sage_scores.cuh"

#if ZOO_HOPPER

template <int Dims, int Tile, int Groups, bool Overlap> struct HopperLayout {
    static constexpr int Stages = 4;
    static constexpr int QueryBytes = Groups * 64 * Dims, KeyBytes = Tile * Dims, StageBytes = 2 * KeyBytes;
    static constexpr int Factors = QueryBytes + Stages * StageBytes, Barriers = Factors + Stages * Tile * 4;
    static constexpr int SharedBytes = Barriers + (2 * Stages + 1) * 8;
    static constexpr int Ahead = Overlap ? Stages - 2 : Stages - 1;     // tiles asked for before their turn
};

template <int Dims, int Tile, int Groups, bool Overlap> __device__ __forceinline__ void attend_hopper(const Call& call) {
    using Sizes = HopperLayout<Dims, Tile, Groups, Overlap>;
    constexpr int Stages = Sizes::Stages;
    u8* shared = dynamic_shared<u8>();
    u64 *full = reinterpret_cast<u64*>(shared + Sizes::Barriers), *empty = full + Stages, *queries_there = empty + Stages;
    const int group = threadIdx.x / 128, block = gridDim.x - 1 - blockIdx.x;                // the longest first
    const i64 row = blockIdx.y, key_row = call.key_row(row);
    const int first = block * Groups * 64, of_group = first + group * 64, query = first + warp() * 16 + lane() / 4;
    const int tiles = (call.seen(first + Groups * 64 - 1) + Tile - 1) / Tile, mine = (call.seen(of_group + 63) + Tile - 1) / Tile;
    const u8 *k = call.k + key_row * call.padded_keys * Dims, *v = call.v + key_row * call.padded_keys * Dims;
    const float *key_scales = call.key_scales + key_row * call.padded_keys, *correction = call.corrections(row, of_group);
    const bool loads = threadIdx.x == (Groups - 1) * 128;       // of the group that sees most

    auto stage = [&](int tile) { return shared + Sizes::QueryBytes + tile % Stages * Sizes::StageBytes; };
    auto phase = [&](int tile) { return static_cast<u32>(tile / Stages & 1); };
    auto load = [&](int tile) {
        u64* there = full + tile % Stages;
        barrier_arrive_expecting(there, Sizes::StageBytes + Tile * 4);
        copy_bulk(stage(tile), k + static_cast<i64>(tile) * Sizes::KeyBytes, Sizes::KeyBytes, there);
        copy_bulk(stage(tile) + Sizes::KeyBytes, v + static_cast<i64>(tile) * Sizes::KeyBytes, Sizes::KeyBytes, there);
        copy_bulk(shared + Sizes::Factors + tile % Stages * Tile * 4, key_scales + tile * Tile, Tile * 4, there);
    };
    if (loads) {
        for (int s = 0; s < Stages; s++) {
            barrier_init(full + s, 1);
            barrier_init(empty + s, Groups * 4);
        }
        barrier_init(queries_there, 1);
        barrier_init_done();
    }
    __syncthreads();
    if (loads && tiles > 0) {
        barrier_arrive_expecting(queries_there, Sizes::QueryBytes);
        copy_bulk(shared, call.q + (row * call.padded_queries + first) * Dims, Sizes::QueryBytes, queries_there);
        for (int tile = 0; tile < Sizes::Ahead && tile < tiles; tile++)
            load(tile);
    }

    float sums[Dims / 2], added[Dims / 2], largest[2], total[2], query_scale[2], shrink[2];
    int products[Tile / 2];
    u32 weights[Tile / 8];
    Scores<Tile / 2> scores;
#pragma unroll
    for (int i = 0; i < Dims / 2; i++)
        sums[i] = 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        largest[half] = -infinity();
        total[half] = 0;
        query_scale[half] = call.query_scale(row, query + half * 8);
    }
    const u64 query_rows = matrix_rows<Dims>(shared + group * 64 * Dims);

    // Asks for a tile into the stage that the last one but the stages in use has left.
    auto load_ahead = [&](int tile) {
        const int next = tile + Sizes::Ahead;
        if (loads && next < tiles) {
            if (next >= Stages)
                barrier_wait(empty + next % Stages, phase(next - Stages));
            load(next);
        }
        __syncwarp();
    };
    auto multiply_keys = [&](int tile) {
        const u64 key_rows = matrix_rows<Dims>(stage(tile));
        settle(products);
        group_mma_begin();
#pragma unroll
        for (int step = 0; step < Dims / 32; step++)
            group_mma_s8(products, query_rows + step * 2, key_rows + step * 2, step > 0);
        group_mma_commit();
    };
    auto multiply_values = [&](int tile) {
        const u64 value_rows = matrix_rows<Tile>(stage(tile) + Sizes::KeyBytes);
        settle(added);
        settle(weights);
        group_mma_begin();
#pragma unroll
        for (int step = 0; step < Tile / 32; step++) {
            const u32 a[4] = {weights[step * 4], weights[step * 4 + 1], weights[step * 4 + 2], weights[step * 4 + 3]};
            group_mma_e4m3(added, a, value_rows + step * 2, step > 0);
        }
        group_mma_commit();
    };
    auto release = [&](int tile) {
        __syncwarp();
        if (lane() == 0)
            barrier_arrive(empty + tile % Stages);
    };
    auto soften = [&](int tile) {
        const float* factors = reinterpret_cast<const float*>(shared + Sizes::Factors + tile % Stages * Tile * 4);
        const int from = tile * Tile;
        const bool whole = from + Tile <= call.keys && (!call.causal || from + Tile - 1 <= of_group + call.keys - call.queries);
        settle(products);
        scores.soften(products, call, factors, correction, from, query, whole, query_scale, Log2Of448, largest, total, shrink);
    };
    auto pack = [&]() {
#pragma unroll
        for (int n = 0; n < Tile / 8; n += 2) {
#pragma unroll
            for (int half = 0; half < 2; half++)
                weights[n + half] = scores.packed_e4m3(n, half);
        }
    };
    // The tile's sum, by itself so far, is added in float: sums of FP8 have fewer bits in tensor cores (two levels, paper section 3.4).
    auto add = [&](const float (&factor)[2]) {
        settle(added);
#pragma unroll
        for (int i = 0; i < Dims / 2; i++)
            sums[i] = fmaf(sums[i], factor[i / 2 % 2], added[i]);
    };

    int tile = 0;
    if (mine > 0)
        barrier_wait(queries_there, 0);
    if (Overlap && mine > 0) {
        load_ahead(0);
        barrier_wait(full, 0);
        multiply_keys(0);
        group_mma_wait<0>();
        soften(0);
        pack();
        for (tile = 1; tile < mine; tile++) {
            const float before[2] = {shrink[0], shrink[1]};
            load_ahead(tile);
            barrier_wait(full + tile % Stages, phase(tile));
            multiply_keys(tile);
            multiply_values(tile - 1);
            group_mma_wait<1>();
            soften(tile);
            group_mma_wait<0>();
            add(before);
            release(tile - 1);
            pack();
        }
        multiply_values(tile - 1);
        group_mma_wait<0>();
        add(shrink);
        release(tile - 1);
    }
    if (!Overlap) {
        for (; tile < mine; tile++) {
            load_ahead(tile);
            barrier_wait(full + tile % Stages, phase(tile));
            multiply_keys(tile);
            group_mma_wait<0>();
            soften(tile);
            pack();
            multiply_values(tile);
            group_mma_wait<0>();
            add(shrink);
            release(tile);
        }
    }
    for (; tile < tiles; tile++) {                              // other groups see more
        barrier_wait(full + tile % Stages, phase(tile));
        release(tile);
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
        store<Dims>(call, row, query + half * 8, half, sums, total[half]);
}

#define SAGE_HOPPER(name, dims, tile, groups, blocks_a_processor, overlap) \
    extern "C" __global__ void __launch_bounds__(groups * 128, blocks_a_processor) name(SAGE_PARAMETERS) { attend_hopper<dims, tile, groups, overlap>(SAGE_CALL); }

#endif
