// h = exp(d A) h + d B u and y = C h + D u over time, times silu(z), and its backward (README.md), for both layouts.
//
// A block has 32 channels of a sequence, and four neighbouring threads share a channel: each has four states in registers, and 16 states make
// a pass. Time goes in tiles of 32 steps. Whatever depends on channel and step alone (softplus, gates, what is summed over states) is done for
// a tile at once, by threads that lie along the array's own last axis, and goes through shared memory, as B and C do: the steps themselves are an
// exponential and a few products a state. Forward keeps the states at the start of every tile. Backward walks tiles from the last one: it goes
// through a tile once to find the states at every eighth step, then from the last eight steps to the first, whose states and decays are in
// registers. Sums over states and over channels are shuffles that leave each lane some of the sums; those over a block's warps, and over blocks
// by a kernel of its own, are in a fixed order: the same bits every time.
#include "zoo.cuh"

using namespace zoo;

constexpr int Chunk = 32;                 // ChunkLength of the host side
constexpr int Channels = 32;              // of a block
constexpr int Threads = 128;
constexpr int Warps = Threads / WarpSize;
constexpr int Own = Chunk * Channels / Threads;   // numbers of a tile that a thread brings and takes
constexpr int Pass = 16;                  // states
constexpr int Sub = 8;                    // steps whose states are in registers
constexpr int Row = Channels + 1;         // of a tile in shared memory: rows and columns in different banks
constexpr int StateRow = Pass + 4;        // and of B and C there

/// Sizes and layout of a call, and this thread's places in it.
template <bool TimeLast> struct Place {
    int channels, states, length, groups;
    int batch, group, first, count;       // the block's channels
    int lane, warp;
    int slot, quad;                       // in the steps: the thread's channel of the block, and which four states of a pass

    __device__ Place(int channels, int states, int length, int groups) : channels(channels), states(states), length(length), groups(groups) {
        const int of_group = channels / groups, blocks = gridDim.x / groups, block = blockIdx.x % blocks;
        batch = blockIdx.y;
        group = blockIdx.x / blocks;
        first = group * of_group + block * Channels;
        count = min(Channels, of_group - block * Channels);
        lane = threadIdx.x % WarpSize;
        warp = threadIdx.x / WarpSize;
        slot = threadIdx.x / 4;
        quad = threadIdx.x % 4;
    }

    // The thread's i-th number of a tile: along time or along channels, as memory lies.
    __device__ int step(int i) const { return TimeLast ? lane : warp * Own + i; }
    __device__ int channel(int i) const { return TimeLast ? warp * Own + i : lane; }
    __device__ int shared(int i) const { return step(i) * Row + channel(i); }
    __device__ bool inside(int t0, int i) const { return t0 + step(i) < length && channel(i) < count; }
    __device__ i64 at(int t0, int i) const {
        return TimeLast ? (static_cast<i64>(batch) * channels + first + channel(i)) * length + t0 + step(i)
                        : (static_cast<i64>(batch) * length + t0 + step(i)) * channels + first + channel(i);
    }
    __device__ float load(const float* array, int t0, int i) const { return array && inside(t0, i) ? __ldg(array + at(t0, i)) : 0; }
    __device__ float of_channel(const float* array, int i) const { return array && channel(i) < count ? __ldg(array + first + channel(i)) : 0; }

    /// [batch, channel, state]: the first of the thread's four.
    __device__ i64 state_at(int n0) const { return (static_cast<i64>(batch) * channels + first + slot) * states + n0 + 4 * quad; }

    /// How many of the thread's four states there are.
    __device__ int real(int n0) const { return slot < count ? max(0, min(4, states - n0 - 4 * quad)) : 0; }
};

// ---- four states

__device__ inline void load_states(float (&h)[4], const float* from, i64 at, int real) {
#pragma unroll
    for (int i = 0; i < 4; i++)
        h[i] = from && i < real ? from[at + i] : 0;
}

__device__ inline void store_states(const float (&h)[4], float* to, i64 at, int real) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if (i < real)
            to[at + i] = h[i];
    }
}

/// A log2 e, for powers of two. Kept finite: the steps beyond the last have Δ = 0.
template <bool TimeLast> __device__ inline void load_decays(float (&a)[4], const float* A, const Place<TimeLast>& place, int n0) {
    load_states(a, A, static_cast<i64>(place.first + place.slot) * place.states + n0 + 4 * place.quad, place.real(n0));
#pragma unroll
    for (int i = 0; i < 4; i++)
        a[i] = max_or_nan(a[i] * Log2E, -3e38f);
}

// ---- B and C of 16 states and a tile's steps, in shared memory [step, state]

/// What a thread brings of them.
template <bool TimeLast> struct Shared {
    float values[Chunk * Pass / Threads];

    __device__ static int state(const Place<TimeLast>& place) { return TimeLast ? place.warp * 4 + place.lane / 8 : place.lane % Pass; }
    __device__ static int step(const Place<TimeLast>& place, int k) { return TimeLast ? k * 8 + place.lane % 8 : place.warp * 8 + k * 2 + place.lane / Pass; }

    __device__ void load(const float* array, bool grouped, const Place<TimeLast>& place, int t0, int n0) {
        const int groups = grouped ? place.groups : 1, group = grouped ? place.group : 0, n = n0 + state(place);
#pragma unroll
        for (int k = 0; k < Chunk * Pass / Threads; k++) {
            const int t = t0 + step(place, k);
            const i64 at = TimeLast ? ((static_cast<i64>(place.batch) * groups + group) * place.states + n) * place.length + t
                                    : ((static_cast<i64>(place.batch) * place.length + t) * groups + group) * place.states + n;
            values[k] = n < place.states && t < place.length ? __ldg(array + at) : 0;
        }
    }

    __device__ void store(float4* tile, const Place<TimeLast>& place) const {
        float* const numbers = reinterpret_cast<float*>(tile);
#pragma unroll
        for (int k = 0; k < Chunk * Pass / Threads; k++)
            numbers[step(place, k) * StateRow + state(place)] = values[k];
    }
};

// ---- sums over lanes

/// Adds v over pairs of lanes whose numbers differ in Bit; each lane keeps half of the sums: the upper half where it has the bit.
template <int Count, int Bit> __device__ inline void halve(float* v, int lane) {
    const bool upper = lane & Bit;
#pragma unroll
    for (int i = 0; i < Count / 2; i++) {
        const float kept = upper ? v[i + Count / 2] : v[i], given = upper ? v[i] : v[i + Count / 2];
        v[i] = kept + __shfl_xor_sync(WholeWarp, given, Bit);
    }
}

/// The sum of four steps' numbers over the four threads of a channel; a thread gets that of step quad.
__device__ inline float sum_states(float (&v)[4], int lane) {
    halve<4, 2>(v, lane);
    halve<2, 1>(v, lane);
    return v[0];
}

/// The sums over the eight channels of a warp of [4 steps, 4 states]: two states of a step for each thread.
__device__ inline float2 sum_channels(float (&v)[16], int lane) {
    halve<16, 16>(v, lane);
    halve<8, 8>(v, lane);
    halve<4, 4>(v, lane);
    return make_float2(v[0], v[1]);
}

// ---- forward

__device__ inline float sigmoid_of(float z) { return fast_reciprocal(1 + expf(-z)); }
__device__ inline float gate_of(float z) { return z * sigmoid_of(z); }

/// One step of four states. Returns what they add to y.
__device__ inline float advance(float (&h)[4], const float (&a)[4], float d, float du, float4 b, float4 c) {
    h[0] = fmaf(fast_exp2(d * a[0]), h[0], du * b.x);
    h[1] = fmaf(fast_exp2(d * a[1]), h[1], du * b.y);
    h[2] = fmaf(fast_exp2(d * a[2]), h[2], du * b.z);
    h[3] = fmaf(fast_exp2(d * a[3]), h[3], du * b.w);
    return fmaf(h[0], c.x, h[1] * c.y) + fmaf(h[2], c.z, h[3] * c.w);
}

template <bool TimeLast> __device__ void forward(
    const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,
    const float* initial, float* y, float* last, float* starts, int softplus_on, int b_grouped, int c_grouped, const Place<TimeLast>& place) {
    __shared__ float2 steps[Chunk * Row];            // Δ, Δ u
    __shared__ float outs[Chunk * Row];
    __shared__ float4 bs[Chunk * StateRow / 4], cs[Chunk * StateRow / 4];
    const int passes = (place.states + Pass - 1) / Pass, chunks = (place.length + Chunk - 1) / Chunk;
    float h[4], a[4];
    // One pass has its states in registers, several have them in `last`.
    for (int n0 = 0; n0 < place.states; n0 += Pass) {
        load_states(h, initial, place.state_at(n0), place.real(n0));
        load_decays(a, A, place, n0);
        if (passes > 1 || place.length == 0)
            store_states(h, last, place.state_at(n0), place.real(n0));
    }
    float next_u[Own], next_delta[Own], next_z[Own];
    Shared<TimeLast> next_b, next_c;
#pragma unroll
    for (int i = 0; i < Own; i++) {
        next_u[i] = place.load(u, 0, i);
        next_delta[i] = place.load(delta, 0, i);
        next_z[i] = place.load(z, 0, i);
    }
    next_b.load(B, b_grouped, place, 0, 0);
    next_c.load(C, c_grouped, place, 0, 0);
    for (int t0 = 0; t0 < place.length; t0 += Chunk) {
        float own_u[Own], own_gate[Own];
#pragma unroll
        for (int i = 0; i < Own; i++) {
            float d = next_delta[i] + place.of_channel(bias, i);
            if (softplus_on)
                d = softplus(d);
            if (!place.inside(t0, i))
                d = 0;
            steps[place.shared(i)] = make_float2(d, d * next_u[i]);
            own_u[i] = next_u[i];
            own_gate[i] = z ? gate_of(next_z[i]) : 1;
            next_u[i] = place.load(u, t0 + Chunk, i);
            next_delta[i] = place.load(delta, t0 + Chunk, i);
            next_z[i] = place.load(z, t0 + Chunk, i);
        }
        for (int n0 = 0; n0 < place.states; n0 += Pass) {
            const int real = place.real(n0);
            next_b.store(bs, place);
            next_c.store(cs, place);
            __syncthreads();
            const bool more = n0 + Pass < place.states;
            next_b.load(B, b_grouped, place, more ? t0 : t0 + Chunk, more ? n0 + Pass : 0);
            next_c.load(C, c_grouped, place, more ? t0 : t0 + Chunk, more ? n0 + Pass : 0);
            if (passes > 1) {
                load_states(h, last, place.state_at(n0), real);
                load_decays(a, A, place, n0);
            }
            if (starts)
                store_states(h, starts, place.state_at(n0) + (static_cast<i64>(place.batch) * (chunks - 1) + t0 / Chunk) * place.channels * place.states, real);
#pragma unroll 2
            for (int s0 = 0; s0 < Chunk; s0 += 4) {
                float out[4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const float2 step = steps[(s0 + j) * Row + place.slot];
                    out[j] = advance(h, a, step.x, step.y, bs[(s0 + j) * (StateRow / 4) + place.quad], cs[(s0 + j) * (StateRow / 4) + place.quad]);
                }
                const float sum = sum_states(out, place.lane);
                float& to = outs[(s0 + place.quad) * Row + place.slot];
                to = n0 == 0 ? sum : to + sum;
            }
            if (passes > 1)
                store_states(h, last, place.state_at(n0), real);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < Own; i++) {
            const float out = fmaf(place.of_channel(skip, i), own_u[i], outs[place.shared(i)]) * own_gate[i];
            if (place.inside(t0, i))
                y[place.at(t0, i)] = out;
        }
    }
    if (passes == 1)
        store_states(h, last, place.state_at(0), place.real(0));
}

// ---- backward

/// Dynamic shared memory: BackwardBytes of the host side.
struct Tiles {
    float4 bs[Chunk * StateRow / 4], cs[Chunk * StateRow / 4];
    float4 marks[Chunk / Sub][Threads];              // states before every eighth step
    float2 of_b[Warps][Chunk][Pass / 2], of_c[Warps][Chunk][Pass / 2];
    float2 steps[Chunk * Row];                       // Δ, u
    float given[Chunk * Row];                        // the gradient of y, times the gate
    float outs[Chunk * Row], with_b[Chunk * Row], with_a[Chunk * Row];
};

/// Sums over sequences and blocks come later: `sum_a` [batch, channel, state], `sum_skip` and `sum_bias` [batch, channel], `sum_b` and `sum_c`
/// [batch, block, time, state], the last two null where not wanted. `carry` [batch, channel, state] is where several passes keep what they carry.
template <bool TimeLast> __device__ void backward(
    const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,
    const float* starts, const float* grad_y, const float* grad_last, float* grad_u, float* grad_delta, float* grad_z, float* carry,
    float* sum_a, float* sum_skip, float* sum_bias, float* sum_b, float* sum_c, int softplus_on, int b_grouped, int c_grouped,
    const Place<TimeLast>& place) {
    Tiles& tiles = *dynamic_shared<Tiles>();
    const int passes = (place.states + Pass - 1) / Pass, chunks = (place.length + Chunk - 1) / Chunk, lane = place.lane;
    float carried[4], a[4], of_a[4] = {0, 0, 0, 0};
    float of_skip[Own], of_bias[Own];
#pragma unroll
    for (int i = 0; i < Own; i++)
        of_skip[i] = of_bias[i] = 0;
    for (int n0 = 0; n0 < place.states; n0 += Pass) {
        load_states(carried, grad_last, place.state_at(n0), place.real(n0));
        load_decays(a, A, place, n0);
        if (passes > 1) {
            store_states(carried, carry, place.state_at(n0), place.real(n0));
            store_states(of_a, sum_a, place.state_at(n0), place.real(n0));
        }
    }
    for (int chunk = chunks - 1; chunk >= 0; chunk--) {
        const int t0 = chunk * Chunk;
        const i64 start = (static_cast<i64>(place.batch) * (chunks - 1) + chunk) * place.channels * place.states;
        Shared<TimeLast> own_b, own_c;
        float h[4];
        own_b.load(B, b_grouped, place, t0, 0);
        own_c.load(C, c_grouped, place, t0, 0);
        load_states(h, starts, start + place.state_at(0), place.real(0));
        {
            float own_u[Own], own_delta[Own], own_z[Own], own_given[Own];
#pragma unroll
            for (int i = 0; i < Own; i++) {
                own_u[i] = place.load(u, t0, i);
                own_delta[i] = place.load(delta, t0, i);
                own_z[i] = place.load(z, t0, i);
                own_given[i] = place.load(grad_y, t0, i);
            }
#pragma unroll
            for (int i = 0; i < Own; i++) {
                float d = own_delta[i] + place.of_channel(bias, i);
                if (softplus_on)
                    d = softplus(d);
                if (!place.inside(t0, i))
                    d = 0;
                tiles.steps[place.shared(i)] = make_float2(d, own_u[i]);
                tiles.given[place.shared(i)] = z ? own_given[i] * gate_of(own_z[i]) : own_given[i];
            }
        }
        for (int n0 = 0; n0 < place.states; n0 += Pass) {
            const int real = place.real(n0);
            if (n0 > 0) {
                own_b.load(B, b_grouped, place, t0, n0);
                own_c.load(C, c_grouped, place, t0, n0);
                load_states(h, starts, start + place.state_at(n0), real);
            }
            own_b.store(tiles.bs, place);
            own_c.store(tiles.cs, place);
            if (passes > 1) {
                load_states(carried, carry, place.state_at(n0), real);
                load_states(of_a, sum_a, place.state_at(n0), real);
                load_decays(a, A, place, n0);
            }
            __syncthreads();
#pragma unroll 1
            for (int sub = 0; sub < Chunk / Sub; sub++) {
                tiles.marks[sub][threadIdx.x] = make_float4(h[0], h[1], h[2], h[3]);
                if (sub == Chunk / Sub - 1)
                    break;
#pragma unroll
                for (int s = 0; s < Sub; s++) {
                    const float2 step = tiles.steps[(sub * Sub + s) * Row + place.slot];
                    advance(h, a, step.x, step.x * step.y, tiles.bs[(sub * Sub + s) * (StateRow / 4) + place.quad], make_float4(0, 0, 0, 0));
                }
            }
#pragma unroll 1
            for (int sub = Chunk / Sub - 1; sub >= 0; sub--) {
                float kept[Sub + 1][4], decays[Sub][4];
                const float4 mark = tiles.marks[sub][threadIdx.x];
                kept[0][0] = mark.x;
                kept[0][1] = mark.y;
                kept[0][2] = mark.z;
                kept[0][3] = mark.w;
#pragma unroll
                for (int s = 0; s < Sub; s++) {
                    const float2 step = tiles.steps[(sub * Sub + s) * Row + place.slot];
                    const float4 b4 = tiles.bs[(sub * Sub + s) * (StateRow / 4) + place.quad];
                    const float b[4] = {b4.x, b4.y, b4.z, b4.w};
                    const float du = step.x * step.y;
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        decays[s][i] = fast_exp2(step.x * a[i]);
                        kept[s + 1][i] = fmaf(decays[s][i], kept[s][i], du * b[i]);
                    }
                }
#pragma unroll
                for (int half = Sub - 4; half >= 0; half -= 4) {
                    float of_b[16], of_c[16], out[4], with_b[4], with_a[4];
#pragma unroll
                    for (int j = 3; j >= 0; j--) {
                        const int s = half + j, at = sub * Sub + s;
                        const float2 step = tiles.steps[at * Row + place.slot];
                        const float4 b4 = tiles.bs[at * (StateRow / 4) + place.quad], c4 = tiles.cs[at * (StateRow / 4) + place.quad];
                        const float b[4] = {b4.x, b4.y, b4.z, b4.w}, c[4] = {c4.x, c4.y, c4.z, c4.w};
                        const float du = step.x * step.y, given = tiles.given[at * Row + place.slot];
                        out[j] = with_b[j] = with_a[j] = 0;
#pragma unroll
                        for (int i = 0; i < 4; i++) {
                            const float G = fmaf(given, c[i], carried[i]);
                            out[j] = fmaf(kept[s + 1][i], c[i], out[j]);
                            of_b[4 * j + i] = G * du;
                            of_c[4 * j + i] = given * kept[s + 1][i];
                            with_b[j] = fmaf(G, b[i], with_b[j]);
                            carried[i] = decays[s][i] * G;
                            const float q = carried[i] * kept[s][i];
                            with_a[j] = fmaf(q, a[i], with_a[j]);
                            of_a[i] = fmaf(q, step.x, of_a[i]);
                        }
                    }
                    const int first = sub * Sub + half, to = (first + place.quad) * Row + place.slot;
                    const float sum_with_b = sum_states(with_b, lane), sum_with_a = sum_states(with_a, lane);
                    tiles.with_b[to] = n0 == 0 ? sum_with_b : tiles.with_b[to] + sum_with_b;
                    tiles.with_a[to] = n0 == 0 ? sum_with_a : tiles.with_a[to] + sum_with_a;
                    if (grad_z) {
                        const float sum_out = sum_states(out, lane);
                        tiles.outs[to] = n0 == 0 ? sum_out : tiles.outs[to] + sum_out;
                    }
                    const int step = first + lane / 8, pair = 2 * place.quad + (lane / 4) % 2;
                    if (sum_b)
                        tiles.of_b[place.warp][step][pair] = sum_channels(of_b, lane);
                    if (sum_c)
                        tiles.of_c[place.warp][step][pair] = sum_channels(of_c, lane);
                }
            }
            if (passes > 1) {
                store_states(carried, carry, place.state_at(n0), real);
                store_states(of_a, sum_a, place.state_at(n0), real);
            }
            __syncthreads();
            // The warps' sums, added in order.
#pragma unroll
            for (int e = threadIdx.x; e < Chunk * Pass; e += Threads) {
                const int t = e / Pass, n = e % Pass;
                if (t0 + t >= place.length || n0 + n >= place.states)
                    continue;
                const i64 to = ((static_cast<i64>(place.batch) * gridDim.x + blockIdx.x) * place.length + t0 + t) * place.states + n0 + n;
                const float* const b = reinterpret_cast<const float*>(tiles.of_b[0][t]) + n;
                const float* const c = reinterpret_cast<const float*>(tiles.of_c[0][t]) + n;
                if (sum_b)
                    sum_b[to] = ((b[0] + b[Chunk * Pass]) + b[2 * Chunk * Pass]) + b[3 * Chunk * Pass];
                if (sum_c)
                    sum_c[to] = ((c[0] + c[Chunk * Pass]) + c[2 * Chunk * Pass]) + c[3 * Chunk * Pass];
            }
        }
        float own_z[Own], own_given[Own], own_skip[Own];
#pragma unroll
        for (int i = 0; i < Own; i++) {
            own_z[i] = grad_z ? place.load(z, t0, i) : 0;
            own_given[i] = grad_z ? place.load(grad_y, t0, i) : 0;
            own_skip[i] = place.of_channel(skip, i);
        }
#pragma unroll
        for (int i = 0; i < Own; i++) {
            const float2 step = tiles.steps[place.shared(i)];
            const float g = tiles.given[place.shared(i)], with_b = tiles.with_b[place.shared(i)];
            const i64 at = place.at(t0, i);
            const bool inside = place.inside(t0, i);
            float of_delta = fmaf(step.y, with_b, Ln2 * tiles.with_a[place.shared(i)]);
            if (softplus_on)
                of_delta *= -expm1f(-step.x);   // the slope of softplus, from its value
            if (grad_z) {
                const float s = sigmoid_of(own_z[i]);
                const float of_z = own_given[i] * fmaf(own_skip[i], step.y, tiles.outs[place.shared(i)]) * s * (1 + own_z[i] * (1 - s));
                if (inside)
                    grad_z[at] = of_z;
            }
            if (inside && grad_u)
                grad_u[at] = fmaf(step.x, with_b, own_skip[i] * g);
            if (inside && grad_delta)
                grad_delta[at] = of_delta;
            if (inside) {
                of_skip[i] = fmaf(g, step.y, of_skip[i]);
                of_bias[i] += of_delta;
            }
        }
    }
    if (passes == 1) {
        if (carry)
            store_states(carried, carry, place.state_at(0), place.real(0));
        store_states(of_a, sum_a, place.state_at(0), place.real(0));
    }
    if (TimeLast) {
#pragma unroll
        for (int i = 0; i < Own; i++) {
            const float skips = warp_sum(of_skip[i]), biases = warp_sum(of_bias[i]);
            if (lane == 0 && place.channel(i) < place.count) {
                sum_skip[static_cast<i64>(place.batch) * place.channels + place.first + place.channel(i)] = skips;
                sum_bias[static_cast<i64>(place.batch) * place.channels + place.first + place.channel(i)] = biases;
            }
        }
        return;
    }
    float skips = 0, biases = 0;
#pragma unroll
    for (int i = 0; i < Own; i++) {
        skips += of_skip[i];
        biases += of_bias[i];
    }
    __syncthreads();
    tiles.outs[threadIdx.x] = skips;
    tiles.with_a[threadIdx.x] = biases;
    __syncthreads();
    if (place.warp > 0 || lane >= place.count)
        return;
    for (int w = 1; w < Warps; w++) {
        skips += tiles.outs[w * WarpSize + lane];
        biases += tiles.with_a[w * WarpSize + lane];
    }
    sum_skip[static_cast<i64>(place.batch) * place.channels + place.first + lane] = skips;
    sum_bias[static_cast<i64>(place.batch) * place.channels + place.first + lane] = biases;
}

#define SCAN_KERNELS(NAME, TIME_LAST)                                                                                                               \
    extern "C" __global__ void __launch_bounds__(Threads, 3) NAME##_forward(                                                                        \
        const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,   \
        const float* initial, float* y, float* last, float* starts, int softplus_on, int b_grouped, int c_grouped, int channels, int states,        \
        int length, int groups) {                                                                                                                   \
        const Place<TIME_LAST> place(channels, states, length, groups);                                                                             \
        forward(u, delta, A, B, C, skip, z, bias, initial, y, last, starts, softplus_on, b_grouped, c_grouped, place);                              \
    }                                                                                                                                               \
    extern "C" __global__ void __launch_bounds__(Threads, 3) NAME##_backward(                                                                       \
        const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,   \
        const float* starts, const float* grad_y, const float* grad_last, float* grad_u, float* grad_delta, float* grad_z, float* carry,            \
        float* sum_a, float* sum_skip, float* sum_bias, float* sum_b, float* sum_c, int softplus_on, int b_grouped, int c_grouped, int channels,    \
        int states, int length, int groups) {                                                                                                       \
        const Place<TIME_LAST> place(channels, states, length, groups);                                                                             \
        backward(                                                                                                                                   \
            u, delta, A, B, C, skip, z, bias, starts, grad_y, grad_last, grad_u, grad_delta, grad_z, carry, sum_a, sum_skip, sum_bias, sum_b,       \
            sum_c, softplus_on, b_grouped, c_grouped, place);                                                                                       \
    }

SCAN_KERNELS(selective_scan, true)
SCAN_KERNELS(selective_scan_tokens, false)

/// The gradient of B or C: the sum over the blocks that share it, in their order. One thread a number of it.
extern "C" __global__ void selective_scan_sum_shared(
    const float* __restrict__ sums, float* __restrict__ gradient, int blocks, int batches, int groups, int states, int length, int time_last) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * groups * states * length)
        return;
    const int n = i % states, t = i / states % length, group = i / states / length % groups, batch = i / states / length / groups;
    const int of_group = blocks / groups;
    float sum = 0;
#pragma unroll 8
    for (int block = group * of_group; block < (group + 1) * of_group; block++)
        sum += sums[((static_cast<i64>(batch) * blocks + block) * length + t) * states + n];
    const i64 to = time_last ? ((static_cast<i64>(batch) * groups + group) * states + n) * length + t
                             : ((static_cast<i64>(batch) * length + t) * groups + group) * states + n;
    gradient[to] = sum;
}

/// The sum over sequences, [batch, count] to [count].
extern "C" __global__ void selective_scan_sum_batch(const float* sums, float* gradient, int batches, i64 count) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    float sum = 0;
    for (int batch = 0; batch < batches; batch++)
        sum += sums[batch * count + i];
    gradient[i] = sum;
}
