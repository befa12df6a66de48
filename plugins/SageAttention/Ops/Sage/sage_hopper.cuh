// Attention on Hopper: both products by groups of four warps, weights in FP8.
//
// A block has Groups times 64 queries of a head. Tiles of keys and values come by bulk copies into a ring of stages, which one thread fills: barriers say
// when a stage is full, and when all groups are done with it, so that groups need not keep pace: while tensor cores multiply for one, others soften. Weights
// stay in registers as the second product's factor. Values have a channel of ones more, whose result is the sum of the weights, rounded as they are
// multiplied.
#pragma once
#include "hopper.cuh"
#include "sage_scores.cuh"

#if ZOO_HOPPER

constexpr u32 FourOnes = 0x38383838;                            // in e4m3

template <int Dims, int Tile, int Groups> struct HopperLayout {
    static constexpr int Stages = 4;
    static constexpr int OnesBytes = 1024;                      // eight channels, of which the first is ones: 8 · Tile bytes
    static constexpr int QueryBytes = Groups * 64 * Dims, KeyBytes = Tile * Dims, LoadedBytes = 2 * KeyBytes, StageBytes = LoadedBytes + OnesBytes;
    static constexpr int Factors = QueryBytes + Stages * StageBytes, Barriers = Factors + Stages * Tile * 4;
    static constexpr int SharedBytes = Barriers + (2 * Stages + 1) * 8;
    static constexpr int Ahead = Stages - 1;                    // tiles asked for before their turn
};

/// `ByProducts`: of so many pairs of exponentials, one is done by products; 0: none.
template <int Dims, int Tile, int Groups, int ByProducts> __device__ __forceinline__ void attend_hopper(const Call& call) {
    using Sizes = HopperLayout<Dims, Tile, Groups>;
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

    auto load = [&](int tile) {
        const int slot = tile % Stages;
        u8* stage = shared + Sizes::QueryBytes + slot * Sizes::StageBytes;
        barrier_arrive_expecting(full + slot, Sizes::LoadedBytes + Tile * 4);
        copy_bulk(stage, k + static_cast<i64>(tile) * Sizes::KeyBytes, Sizes::KeyBytes, full + slot);
        copy_bulk(stage + Sizes::KeyBytes, v + static_cast<i64>(tile) * Sizes::KeyBytes, Sizes::KeyBytes, full + slot);
        copy_bulk(shared + Sizes::Factors + slot * Tile * 4, key_scales + tile * Tile, Tile * 4, full + slot);
    };
    constexpr int OnesWords = Sizes::OnesBytes / 4;
    for (int i = threadIdx.x; i < Stages * OnesWords; i += Groups * 128)
        reinterpret_cast<u32*>(shared + Sizes::QueryBytes + i / OnesWords * Sizes::StageBytes + Sizes::LoadedBytes)[i % OnesWords] = i % OnesWords < Tile / 4 ? FourOnes : 0;
    shared_written();
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

    constexpr int Sums = Dims / 2 + 4;                          // the last four: of weights, in threads that have column 0
    float sums[Sums], added[Sums], largest[2], query_scale[2], shrink[2];
    int products[Tile / 2];
    u32 weights[Tile / 8];
    Scores<Tile / 2> scores;
#pragma unroll
    for (int i = 0; i < Sums; i++)
        sums[i] = 0;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        largest[half] = -infinity();
        query_scale[half] = call.query_scale(row, query + half * 8);
    }
    const u64 query_rows = matrix_rows<Dims>(shared + group * 64 * Dims);
    const u64 first_keys = matrix_rows<Dims>(shared + Sizes::QueryBytes), first_values = matrix_rows<Tile>(shared + Sizes::QueryBytes + Sizes::KeyBytes);
    const int simple = call.simple_tiles(of_group, Tile), loaded_ahead = loads ? tiles - Sizes::Ahead : 0;

    // Asks for a tile into the stage that the last one but those in use has left.
    auto load_ahead = [&](int tile) {
        if (tile < loaded_ahead) {
            const int next = tile + Sizes::Ahead;
            if (next >= Stages)
                barrier_wait(empty + next % Stages, (next / Stages - 1) & 1);
            load(next);
        }
        __syncwarp();
    };
    auto multiply_keys = [&](int slot) {
        const u64 key_rows = further(first_keys, slot * Sizes::StageBytes);
        settle(products);
        group_mma_begin();
#pragma unroll
        for (int step = 0; step < Dims / 32; step++)
            group_mma_s8(products, further(query_rows, step * 32), further(key_rows, step * 32), step > 0);
        group_mma_commit();
    };
    auto multiply_values = [&](int slot) {
        const u64 value_rows = further(first_values, slot * Sizes::StageBytes);
        settle(added);
        settle(weights);
        group_mma_begin();
#pragma unroll
        for (int step = 0; step < Tile / 32; step++) {
            const u32 a[4] = {weights[step * 4], weights[step * 4 + 1], weights[step * 4 + 2], weights[step * 4 + 3]};
            group_mma_e4m3(added, a, further(value_rows, step * 32), step > 0);
        }
        group_mma_commit();
    };
    auto release = [&](int slot) {
        __syncwarp();
        if (lane() == 0)
            barrier_arrive(empty + slot);
    };
    auto soften = [&](int tile, int slot) {
        const float* factors = reinterpret_cast<const float*>(shared + Sizes::Factors + slot * Tile * 4);
        settle(products);
        float none[2];
        scores.template soften<false, ByProducts>(products, call, factors, correction, tile * Tile, query, tile < simple, query_scale, Log2Of448, largest, none, shrink);
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
    auto add = [&]() {
        settle(added);
#pragma unroll
        for (int i = 0; i < Sums; i++)
            sums[i] = fmaf(sums[i], shrink[i / 2 % 2], added[i]);
    };

    int tile = 0, slot = 0;
    u32 phase = 0;
    auto advance = [&]() {
        slot = (slot + 1) % Stages;
        phase ^= slot == 0;
        tile++;
    };
    if (mine > 0)
        barrier_wait(queries_there, 0);
    for (; tile < mine; advance()) {
        load_ahead(tile);
        barrier_wait(full + slot, phase);
        multiply_keys(slot);
        group_mma_wait<0>();
        soften(tile, slot);
        pack();
        multiply_values(slot);
        group_mma_wait<0>();
        add();
        release(slot);
    }
    for (; tile < tiles; advance()) {                           // other groups see more
        barrier_wait(full + slot, phase);
        release(slot);
    }
#pragma unroll
    for (int half = 0; half < 2; half++)
        store<Dims>(call, row, query + half * 8, half, sums, lane() % 4 == 0 ? sums[Dims / 2 + half * 2] : 0);
}

#define SAGE_HOPPER(name, dims, tile, groups, by_products) \
    extern "C" __global__ void __launch_bounds__(groups * 128, 1) name(SAGE_PARAMETERS) { attend_hopper<dims, tile, groups, by_products>(SAGE_CALL); }

#endif
