// Affine recurrences h_t = a_t h_{t-1} + b_t over [batch, time, dim] on a card: what the scans of ops with and without gates have in common.
//
// A warp has 32 neighbouring dimensions and 8 steps of time at once in registers; the warps of a block follow each other in time. Each warp
// reduces its steps to one affine step, all warps put them into shared memory, and each folds those before its own (in order: the same bits
// every time) onto the state that the block carries. So every element is read once and written once, with many loads in the air.
// Where there are fewer blocks than the card has room for, time is cut into chunks too: `ends` reduces each chunk, `carry` folds them, and the
// scan starts from what it finds. Chunks are read twice then, the second time mostly from the cache. The host side is ScanPlan.
#pragma once

#include "zoo.cuh"

namespace zoo {

constexpr int ScanSteps = 8;
constexpr int ScanMostWarps = 16;

/// Scans the steps from `first` to `end` from `carried` on, or only reduces them. Returns the carried number, or the step they amount to.
/// A sequence has a type Step with a member `change`, which does nothing by default; load(step); and store(step, loaded, before, after).
template <bool Store, class Sequence> __device__ Affine scan(const Sequence& sequence, int first, int end, bool inside, float carried) {
    __shared__ Affine parts[2][ScanMostWarps][WarpSize];
    const int lane = threadIdx.x, warp = threadIdx.y, warps = blockDim.y;
    Affine all = {1, carried};
    for (int tile = first, turn = 0; tile < end; tile += warps * ScanSteps, turn ^= 1) {
        const int mine = tile + warp * ScanSteps;
        typename Sequence::Step steps[ScanSteps];
        Affine together = {1, 0};
#pragma unroll
        for (int s = 0; s < ScanSteps; s++)
            steps[s] = inside && mine + s < end ? sequence.load(mine + s) : typename Sequence::Step();
#pragma unroll
        for (int s = 0; s < ScanSteps; s++)
            together = together.then(steps[s].change);
        parts[turn][warp][lane] = together;
        __syncthreads();   // one a tile: the next tile writes the other half
        float state = all.b;
        for (int w = 0; w < warps; w++) {
            if (w == warp)
                state = all.b;
            all = all.then(parts[turn][w][lane]);
        }
        if (Store && inside) {
#pragma unroll
            for (int s = 0; s < ScanSteps; s++) {
                const float before = state;
                state = steps[s].change.apply(before);
                if (mine + s < end)
                    sequence.store(mine + s, steps[s], before, state);
            }
        }
    }
    return all;
}

/// This block's place: 32 dimensions of one chunk of one sequence.
struct ScanPlace {
    int batch, chunk, dim, first, end;
    bool inside;

    __device__ ScanPlace(int length, int dims, int chunks, int chunk_length) {
        batch = blockIdx.y / chunks;
        chunk = blockIdx.y % chunks;
        dim = blockIdx.x * WarpSize + threadIdx.x;
        inside = dim < dims;
        first = chunk * chunk_length;
        end = min(length, first + chunk_length);
    }

    __device__ i64 start(int length, int dims) const { return static_cast<i64>(batch) * length * dims + dim; }
    __device__ i64 of_chunk(int dims, int chunks) const { return (static_cast<i64>(batch) * chunks + chunk) * dims + dim; }
    __device__ i64 of_sequence(int dims) const { return static_cast<i64>(batch) * dims + dim; }
};

template <class Sequence> __device__ void scan_ends(const Sequence& sequence, const ScanPlace& place, Affine* ends, int dims, int chunks) {
    const Affine all = scan<false>(sequence, place.first, place.end, place.inside, 0);
    if (place.inside && threadIdx.y == 0)
        ends[place.of_chunk(dims, chunks)] = all;
}

/// `start` is null (zero), one number a sequence, or where there are chunks one a chunk. The last chunk's end goes to `last`.
template <class Sequence>
__device__ void scan_chunk(const Sequence& sequence, const ScanPlace& place, const float* start, float* last, int dims, int chunks) {
    const float carried = start && place.inside ? start[place.of_chunk(dims, chunks)] : 0;
    const Affine all = scan<true>(sequence, place.first, place.end, place.inside, carried);
    if (last && place.inside && place.chunk == chunks - 1 && threadIdx.y == 0)
        last[place.of_sequence(dims)] = all.b;
}

/// Every chunk's start, from what the chunks amount to. One thread a dimension of a sequence.
__device__ __forceinline__ void scan_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batch) * dims)
        return;
    float h = initial ? initial[i] : 0;
    const i64 b = i / dims, d = i % dims;
    for (int c = 0; c < chunks; c++) {
        const i64 at = (b * chunks + c) * dims + d;
        starts[at] = h;
        h = ends[at].apply(h);
    }
}

}
