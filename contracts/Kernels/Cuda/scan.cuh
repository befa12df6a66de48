// Affine recurrences h_t = a_t h_{t-1} + b_t over [batch, time, dim] on a card: what the scans of ops with and without gates have in common.
//
// A warp has 32 neighbouring dimensions and a few steps of time at once in registers; the warps of a block follow each other in time. Each warp
// reduces its steps to one affine step, all warps put them into shared memory, and each folds those before its own (in order: the same bits
// every time) onto the state that the block carries. So every element is read once and written once, with many loads in the air.
// Where there are fewer blocks than the card has room for, time is cut into chunks too: `ends` reduces each chunk, `carry` folds them, and the
// scan starts from what it finds. Chunks are read twice then, the second time mostly from the cache. The host side is ScanPlan.
#pragma once

#include "zoo.cuh"

namespace zoo {

constexpr int ScanMostWarps = 16;

/// The bounds of every kernel that scans: two blocks a multiprocessor, as ScanPlan counts on.
#define ZOO_SCAN_BOUNDS __launch_bounds__(zoo::WarpSize * zoo::ScanMostWarps, 2)

/// Carried numbers lie in memory as [row, dim]; null is zero. A .cu with other numbers than floats has both functions for them.
template <class Number> __device__ Number carried_number(const float* numbers, i64 row, int dims, int dim);

template <> __device__ __forceinline__ float carried_number<float>(const float* numbers, i64 row, int dims, int dim) {
    return numbers ? numbers[row * dims + dim] : 0;
}

__device__ __forceinline__ void store_carried(float* numbers, i64 row, int dims, int dim, float number) { numbers[row * dims + dim] = number; }

/// What all of a thread's steps amount to, for sequences that know it better than by composing them: those have an overload.
template <class Sequence, class Change> __device__ __forceinline__ Change whole(const Sequence&, const Change& composed) { return composed; }

/// Scans the steps from `first` to `end` from `carried` on, or only reduces them. Returns the step they amount to, after `carried`.
///
/// A sequence has a type Change, which is Affine or alike; a type Inputs, what memory holds of a step; a number Steps, how many of them a
/// thread has at once; and
///     Inputs load(int step)                     memory and nothing else, so that the loads of all steps are in the air together
///     Change change(const Inputs&)              what the step does to the carried number
///     void store(int step, const Inputs&, Number before, Number after)
/// Dimensions and steps beyond the last are loaded from the last one, and neither change nor store anything.
template <bool Store, class Sequence>
__device__ typename Sequence::Change scan(const Sequence& sequence, int first, int end, bool inside, typename Sequence::Change::Number carried) {
    using Change = typename Sequence::Change;
    using Number = typename Change::Number;
    constexpr int Steps = Sequence::Steps;
    __shared__ Change parts[2][ScanMostWarps][WarpSize];
    const int lane = threadIdx.x, warp = threadIdx.y, warps = blockDim.y;
    Change all = Change::to(carried);
    for (int tile = first, turn = 0; tile < end; tile += warps * Steps, turn ^= 1) {
        const int mine = tile + warp * Steps;
        typename Sequence::Inputs inputs[Steps];
        Change changes[Steps], together = Change::neutral();
#pragma unroll
        for (int s = 0; s < Steps; s++)
            inputs[s] = sequence.load(min(mine + s, end - 1));
#pragma unroll
        for (int s = 0; s < Steps; s++) {
            changes[s] = sequence.change(inputs[s]);
            const Change with = together.then(changes[s]);
            if (mine + s < end)
                together = with;
        }
        parts[turn][warp][lane] = mine + Steps <= end ? whole(sequence, together) : together;
        __syncthreads();   // one a tile: the next tile writes the other half
        Number state = all.b;
#pragma unroll 2
        for (int w = 0; w < warps; w++) {
            if (w == warp)
                state = all.b;
            all = all.then(parts[turn][w][lane]);
        }
        if (Store && inside) {
#pragma unroll
            for (int s = 0; s < Steps; s++) {
                const Number before = state;
                state = changes[s].apply(before);
                if (mine + s < end)
                    sequence.store(mine + s, inputs[s], before, state);
            }
        }
    }
    return all;
}

/// This block's place: 32 dimensions of one chunk of one sequence. A thread beyond the last dimension has that one, and is not inside.
struct ScanPlace {
    int batch, chunk, dim, first, end;
    bool inside;

    __device__ ScanPlace(int length, int dims, int chunks, int chunk_length) {
        batch = blockIdx.y / chunks;
        chunk = blockIdx.y % chunks;
        dim = blockIdx.x * WarpSize + threadIdx.x;
        inside = dim < dims;
        dim = min(dim, dims - 1);
        first = chunk * chunk_length;
        end = min(length, first + chunk_length);
    }

    __device__ i64 start(int length, int dims) const { return static_cast<i64>(batch) * length * dims + dim; }
    __device__ i64 of_sequence(int dims) const { return static_cast<i64>(batch) * dims + dim; }

    /// Among those of all blocks and warps: where what a warp has summed over its steps goes, before add_rows.
    __device__ i64 of_warp() const { return static_cast<i64>(blockIdx.y) * blockDim.y + threadIdx.y; }
};

template <class Sequence>
__device__ void scan_ends(const Sequence& sequence, const ScanPlace& place, typename Sequence::Change* ends, int dims, int chunks) {
    const auto all = scan<false>(sequence, place.first, place.end, place.inside, typename Sequence::Change::Number());
    if (place.inside && threadIdx.y == 0)
        ends[(static_cast<i64>(place.batch) * chunks + place.chunk) * dims + place.dim] = all;
}

/// `start` is null (zero), one number a sequence, or where there are chunks one a chunk. The last chunk's end goes to `last`.
template <class Sequence>
__device__ void scan_chunk(const Sequence& sequence, const ScanPlace& place, const float* start, float* last, int dims, int chunks) {
    using Number = typename Sequence::Change::Number;
    const Number carried = carried_number<Number>(start, static_cast<i64>(place.batch) * chunks + place.chunk, dims, place.dim);
    const auto all = scan<true>(sequence, place.first, place.end, place.inside, carried);
    if (last && place.inside && place.chunk == chunks - 1 && threadIdx.y == 0)
        store_carried(last, place.batch, dims, place.dim, all.b);
}

/// Every chunk's start, from what the chunks amount to. One thread a dimension of a sequence.
template <class Change>
__device__ __forceinline__ void scan_carry(const Change* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batch) * dims)
        return;
    const i64 b = i / dims;
    const int d = i % dims;
    auto h = carried_number<typename Change::Number>(initial, b, dims, d);
    for (int c = 0; c < chunks; c++) {
        store_carried(starts, b * chunks + c, dims, d, h);
        h = ends[(b * chunks + c) * dims + d].apply(h);
    }
}

}
