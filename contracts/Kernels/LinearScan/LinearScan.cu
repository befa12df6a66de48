// h_t = a_t h_{t-1} + b_t over [batch, time, dim], and its backward: a scan of the same kind from the end (README.md).
//
// A warp has 32 neighbouring dimensions and 8 steps of time at once in registers; the warps of a block follow each other in time. Each warp
// reduces its steps to one affine step, all warps put them into shared memory, and each folds those before its own (in order: the same bits
// every time) onto the state that the block carries. So every element is read once and written once, with many loads in the air.
// Where there are fewer blocks than the card has room for, time is cut into chunks too: `ends` reduces each chunk, `carry` folds them, and the
// scan starts from what it finds. Chunks are read twice then, the second time mostly from the cache.
#include "zoo.cuh"

using namespace zoo;

constexpr int Steps = 8;
constexpr int MostWarps = 16;

/// One step of one dimension: what it does to the carried number, and for the backward the gradient that was given and the state before.
struct Step {
    Affine change;
    float given, earlier;
};

/// Forward: the state is carried, steps go from the first to the last.
struct ForwardSteps {
    const float* a;
    const float* b;
    float* h;
    i64 stride;
    int length;

    __device__ i64 at(int step) const { return step * stride; }

    __device__ Step load(int step) const { return {{__ldg(a + at(step)), __ldg(b + at(step))}, 0, 0}; }

    __device__ void store(int step, const Step& of, float before, float after) const { h[at(step)] = after; }
};

/// Backward: a_{t+1} times the gradient of h_{t+1} is carried, steps go from the last to the first.
struct BackwardSteps {
    const float* a;
    const float* h;
    const float* initial;      // null: zero
    const float* grad_h;       // null: zero
    float* grad_a;             // null: not wanted
    float* grad_b;
    i64 stride;
    int length;

    __device__ i64 at(int step) const { return (length - 1 - step) * stride; }

    /// Everything at once: a load that waited for a store would wait for memory each time.
    __device__ Step load(int step) const {
        const float decay = __ldg(a + at(step)), given = grad_h ? __ldg(grad_h + at(step)) : 0;
        const float earlier = !grad_a ? 0 : step < length - 1 ? __ldg(h + at(step) - stride) : initial ? __ldg(initial) : 0;
        return {{decay, decay * given}, given, earlier};
    }

    /// The gradient of h_t is what was given for it and what was carried to it.
    __device__ void store(int step, const Step& of, float before, float after) const {
        const float g = of.given + before;
        if (grad_a)
            grad_a[at(step)] = g * of.earlier;
        if (grad_b)
            grad_b[at(step)] = g;
    }
};

/// Scans the steps from `first` to `end` from `carried` on, or only reduces them. Returns the carried number, or the step they amount to.
template <bool Store, class Sequence> __device__ Affine scan(const Sequence& sequence, int first, int end, bool inside, float carried) {
    __shared__ Affine parts[2][MostWarps][WarpSize];
    const int lane = threadIdx.x, warp = threadIdx.y, warps = blockDim.y;
    Affine all = {1, carried};
    for (int tile = first, turn = 0; tile < end; tile += warps * Steps, turn ^= 1) {
        const int mine = tile + warp * Steps;
        Step steps[Steps];
        Affine together = {1, 0};
#pragma unroll
        for (int s = 0; s < Steps; s++)
            steps[s] = inside && mine + s < end ? sequence.load(mine + s) : Step{{1, 0}, 0, 0};
#pragma unroll
        for (int s = 0; s < Steps; s++)
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
            for (int s = 0; s < Steps; s++) {
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
struct Place {
    int batch, chunk, dim, first, end;
    bool inside;

    __device__ Place(int length, int dims, int chunks, int chunk_length) {
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

template <class Sequence> __device__ void ends(const Sequence& sequence, const Place& place, Affine* ends, int dims, int chunks) {
    const Affine all = scan<false>(sequence, place.first, place.end, place.inside, 0);
    if (place.inside && threadIdx.y == 0)
        ends[place.of_chunk(dims, chunks)] = all;
}

/// `start` is null (zero), one number a sequence, or where there are chunks one a chunk. The last chunk's end goes to `last`.
template <class Sequence> __device__ void scan_chunk(const Sequence& sequence, const Place& place, const float* start, float* last, int dims, int chunks) {
    const float carried = start && place.inside ? start[place.of_chunk(dims, chunks)] : 0;
    const Affine all = scan<true>(sequence, place.first, place.end, place.inside, carried);
    if (last && place.inside && place.chunk == chunks - 1 && threadIdx.y == 0)
        last[place.of_sequence(dims)] = all.b;
}

/// Every chunk's start, from what the chunks amount to. One thread a dimension of a sequence.
extern "C" __global__ void linear_scan_carry(const Affine* ends, const float* initial, float* starts, int batch, int dims, int chunks) {
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

extern "C" __global__ void linear_scan_forward_ends(const float* a, const float* b, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const Place place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    ends(ForwardSteps{a + start, b + start, nullptr, dims, length}, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps, 2) linear_scan_forward(
    const float* a, const float* b, const float* starts, float* h, float* last_state, int length, int dims, int chunks, int chunk_length) {
    const Place place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    scan_chunk(ForwardSteps{a + start, b + start, h + start, dims, length}, place, starts, last_state, dims, chunks);
}

extern "C" __global__ void linear_scan_backward_ends(const float* a, const float* grad_h, Affine* chunk_ends, int length, int dims, int chunks, int chunk_length) {
    const Place place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {a + start, nullptr, nullptr, grad_h ? grad_h + start : nullptr, nullptr, nullptr, dims, length};
    ends(steps, place, chunk_ends, dims, chunks);
}

extern "C" __global__ void __launch_bounds__(WarpSize * MostWarps, 2) linear_scan_backward(
    const float* a, const float* initial, const float* h, const float* grad_h, const float* starts,
    float* grad_a, float* grad_b, float* grad_initial, int length, int dims, int chunks, int chunk_length) {
    const Place place(length, dims, chunks, chunk_length);
    const i64 start = place.start(length, dims);
    const BackwardSteps steps = {
        a + start, h + start, initial ? initial + place.of_sequence(dims) : nullptr, grad_h ? grad_h + start : nullptr,
        grad_a ? grad_a + start : nullptr, grad_b ? grad_b + start : nullptr, dims, length};
    scan_chunk(steps, place, starts, grad_initial, dims, chunks);
}
