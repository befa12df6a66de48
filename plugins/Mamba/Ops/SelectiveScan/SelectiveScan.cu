// h = exp(d A) h + d B u and y = C h + D u over time, times silu(z), and its backward (README.md), for both layouts.
//
// `width` neighbouring threads, a power of two up to a warp, share the states of a channel, and a block has as many channels of one sequence
// as fit 256 threads. Time goes step by step; sums over states are shuffles. Forward keeps the states at the start of every chunk, backward
// recomputes a chunk's states from there and walks it from its end. What channels add to the gradients of B and C is summed over a block's
// channels in shared memory, a few steps at a time and in the channels' order, and over blocks by a kernel of its own: the same bits every time.
#include "zoo.cuh"

using namespace zoo;

constexpr int Chunk = 32;      // ChunkLength of the host side
constexpr int Tile = 8;        // steps whose gradients of B and C are summed at once
constexpr int Threads = 256;

/// Sizes and layout of a call, and this thread's place in it.
struct Place {
    int channels, states, length, groups;
    int width, per_block, blocks_of_group;
    bool time_last;
    int batch, block, group, channel, lane, slot;
    bool inside;

    __device__ Place(int channels, int states, int length, int groups, int width, int time_last)
        : channels(channels), states(states), length(length), groups(groups), width(width), per_block(Threads / width), time_last(time_last) {
        const int of_group = channels / groups;
        blocks_of_group = (of_group + per_block - 1) / per_block;
        batch = blockIdx.y;
        block = blockIdx.x;
        group = block / blocks_of_group;
        slot = threadIdx.x / width;
        lane = threadIdx.x % width;
        const int within = block % blocks_of_group * per_block + slot;
        inside = within < of_group;
        channel = group * of_group + (inside ? within : 0);
    }

    __device__ i64 at(int t) const {
        return time_last ? (static_cast<i64>(batch) * channels + channel) * length + t : (static_cast<i64>(batch) * length + t) * channels + channel;
    }

    /// B or C, which may have one group for all.
    __device__ i64 shared_at(int grouped, int n, int t) const {
        const int count = grouped ? groups : 1, mine = grouped ? group : 0;
        return time_last ? ((static_cast<i64>(batch) * count + mine) * states + n) * length + t
                         : ((static_cast<i64>(batch) * length + t) * count + mine) * states + n;
    }

    __device__ i64 state_at(int n) const { return (static_cast<i64>(batch) * channels + channel) * states + n; }
    __device__ i64 start_at(int chunk, int chunks, int n) const {
        return ((static_cast<i64>(batch) * chunks + chunk) * channels + channel) * states + n;
    }

    /// The sum over the threads of a channel, for all of them.
    __device__ float sum(float x) const {
        for (int step = width / 2; step > 0; step /= 2)
            x += __shfl_xor_sync(WholeWarp, x, step);
        return x;
    }
};

__device__ float step_size(const float* delta, const float* bias, int softplus_on, const Place& place, int t) {
    const float x = delta[place.at(t)] + (bias ? bias[place.channel] : 0);
    return softplus_on ? softplus(x) : x;
}

/// `Items` states a thread: n = lane, lane + width, ...
template <int Items> __device__ void forward(
    const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,
    const float* initial, float* y, float* last, float* starts, int softplus_on, int b_grouped, int c_grouped, const Place& place) {
    float h[Items], a[Items];
#pragma unroll
    for (int i = 0; i < Items; i++) {
        const int n = place.lane + i * place.width;
        const bool real = place.inside && n < place.states;
        h[i] = real && initial ? initial[place.state_at(n)] : 0;
        a[i] = real ? A[static_cast<i64>(place.channel) * place.states + n] : 0;
    }
    const int chunks = (place.length + Chunk - 1) / Chunk;
    for (int t = 0; t < place.length; t++) {
        if (starts && t % Chunk == 0) {
#pragma unroll
            for (int i = 0; i < Items; i++) {
                const int n = place.lane + i * place.width;
                if (place.inside && n < place.states)
                    starts[place.start_at(t / Chunk, chunks, n)] = h[i];
            }
        }
        const float d = step_size(delta, bias, softplus_on, place, t), x = u[place.at(t)];
        float out = 0;
#pragma unroll
        for (int i = 0; i < Items; i++) {
            const int n = place.lane + i * place.width;
            if (n < place.states) {
                h[i] = expf(d * a[i]) * h[i] + d * x * B[place.shared_at(b_grouped, n, t)];
                out += h[i] * C[place.shared_at(c_grouped, n, t)];
            }
        }
        out = place.sum(out);
        if (place.inside && place.lane == 0) {
            if (skip)
                out += skip[place.channel] * x;
            y[place.at(t)] = z ? out * silu(z[place.at(t)]) : out;
        }
    }
#pragma unroll
    for (int i = 0; i < Items; i++) {
        const int n = place.lane + i * place.width;
        if (place.inside && n < place.states)
            last[place.state_at(n)] = h[i];
    }
}

template <int Items> __device__ void backward(
    const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,
    const float* starts, const float* grad_y, const float* grad_last, float* grad_u, float* grad_delta, float* grad_z, float* grad_initial,
    float* sum_a, float* sum_skip, float* sum_bias, float* sum_b, float* sum_c, int softplus_on, int b_grouped, int c_grouped, const Place& place) {
    // [step of a tile, state, channel of the block] of B and then of C
    float* const parts = dynamic_shared<float>();
    const int tile_size = Tile * place.states * place.per_block;
    float carried[Items], a[Items], of_a[Items], kept[Items][Chunk];
    float of_skip = 0, of_bias = 0;
#pragma unroll
    for (int i = 0; i < Items; i++) {
        const int n = place.lane + i * place.width;
        const bool real = place.inside && n < place.states;
        carried[i] = real && grad_last ? grad_last[place.state_at(n)] : 0;
        a[i] = real ? A[static_cast<i64>(place.channel) * place.states + n] : 0;
        of_a[i] = 0;
    }
    const int chunks = (place.length + Chunk - 1) / Chunk, blocks = gridDim.x;
    const float own_skip = skip ? skip[place.channel] : 0;
    for (int chunk = chunks - 1; chunk >= 0; chunk--) {
        const int first = chunk * Chunk, count = min(Chunk, place.length - first);
        float start[Items];
#pragma unroll
        for (int i = 0; i < Items; i++) {
            const int n = place.lane + i * place.width;
            start[i] = place.inside && n < place.states ? starts[place.start_at(chunk, chunks, n)] : 0;
            float h = start[i];
            for (int s = 0; s < count; s++) {
                if (n < place.states) {
                    const float d = step_size(delta, bias, softplus_on, place, first + s);
                    h = expf(d * a[i]) * h + d * u[place.at(first + s)] * B[place.shared_at(b_grouped, n, first + s)];
                }
                kept[i][s] = h;
            }
        }
        for (int end = count; end > 0; end -= (end - 1) % Tile + 1) {
            const int begin = (end - 1) / Tile * Tile;
            for (int s = end - 1; s >= begin; s--) {
                const int t = first + s;
                const float d = step_size(delta, bias, softplus_on, place, t), x = u[place.at(t)];
                const float given = grad_y && place.inside ? grad_y[place.at(t)] : 0;
                const float gate = z ? z[place.at(t)] : 0;
                const float g = z ? given * silu(gate) : given;
                float out = 0, with_b = 0, with_a = 0;
#pragma unroll
                for (int i = 0; i < Items; i++) {
                    const int n = place.lane + i * place.width;
                    if (n >= place.states)
                        continue;
                    const float b = B[place.shared_at(b_grouped, n, t)], c = C[place.shared_at(c_grouped, n, t)], h = kept[i][s];
                    out += h * c;
                    const float G = g * c + carried[i];
                    const int at = ((s - begin) * place.states + n) * place.per_block + place.slot;
                    parts[at] = place.inside ? G * d * x : 0;
                    parts[tile_size + at] = g * h;
                    with_b += G * b;
                    carried[i] = expf(d * a[i]) * G;
                    const float q = carried[i] * (s > 0 ? kept[i][s - 1] : start[i]);
                    with_a += q * a[i];
                    of_a[i] += q * d;
                }
                out = place.sum(out);
                with_b = place.sum(with_b);
                with_a = place.sum(with_a);
                if (place.inside && place.lane == 0) {
                    if (grad_z) {
                        const float s1 = sigmoid(gate);
                        grad_z[place.at(t)] = given * (out + own_skip * x) * s1 * (1 + gate * (1 - s1));
                    }
                    if (grad_u)
                        grad_u[place.at(t)] = d * with_b + own_skip * g;
                    float of_delta = x * with_b + with_a;
                    if (softplus_on)
                        of_delta *= sigmoid(delta[place.at(t)] + (bias ? bias[place.channel] : 0));
                    if (grad_delta)
                        grad_delta[place.at(t)] = of_delta;
                    of_skip += g * x;
                    of_bias += of_delta;
                }
            }
            __syncthreads();
            for (int i = threadIdx.x; i < (end - begin) * place.states; i += Threads) {
                float b = 0, c = 0;
                for (int k = 0; k < place.per_block; k++) {
                    b += parts[i * place.per_block + k];
                    c += parts[tile_size + i * place.per_block + k];
                }
                const i64 to = ((static_cast<i64>(place.batch) * blocks + place.block) * place.length + first + begin) * place.states + i;
                sum_b[to] = b;
                sum_c[to] = c;
            }
            __syncthreads();
        }
    }
#pragma unroll
    for (int i = 0; i < Items; i++) {
        const int n = place.lane + i * place.width;
        if (place.inside && n < place.states) {
            if (grad_initial)
                grad_initial[place.state_at(n)] = carried[i];
            sum_a[place.state_at(n)] = of_a[i];
        }
    }
    if (place.inside && place.lane == 0) {
        sum_skip[static_cast<i64>(place.batch) * place.channels + place.channel] = of_skip;
        sum_bias[static_cast<i64>(place.batch) * place.channels + place.channel] = of_bias;
    }
}

#define FORWARD(NAME, ITEMS)                                                                                                                        \
    extern "C" __global__ void __launch_bounds__(Threads) NAME(                                                                                     \
        const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,   \
        const float* initial, float* y, float* last, float* starts, int softplus_on, int b_grouped, int c_grouped, int channels, int states,        \
        int length, int groups, int width, int time_last) {                                                                                         \
        const Place place(channels, states, length, groups, width, time_last);                                                                      \
        forward<ITEMS>(u, delta, A, B, C, skip, z, bias, initial, y, last, starts, softplus_on, b_grouped, c_grouped, place);                       \
    }

#define BACKWARD(NAME, ITEMS)                                                                                                                       \
    extern "C" __global__ void __launch_bounds__(Threads) NAME(                                                                                     \
        const float* u, const float* delta, const float* A, const float* B, const float* C, const float* skip, const float* z, const float* bias,   \
        const float* starts, const float* grad_y, const float* grad_last, float* grad_u, float* grad_delta, float* grad_z, float* grad_initial,     \
        float* sum_a, float* sum_skip, float* sum_bias, float* sum_b, float* sum_c, int softplus_on, int b_grouped, int c_grouped, int channels,    \
        int states, int length, int groups, int width, int time_last) {                                                                             \
        const Place place(channels, states, length, groups, width, time_last);                                                                      \
        backward<ITEMS>(                                                                                                                            \
            u, delta, A, B, C, skip, z, bias, starts, grad_y, grad_last, grad_u, grad_delta, grad_z, grad_initial, sum_a, sum_skip, sum_bias,       \
            sum_b, sum_c, softplus_on, b_grouped, c_grouped, place);                                                                                \
    }

FORWARD(selective_scan_forward, 1)
FORWARD(selective_scan_forward_wide, 8)
BACKWARD(selective_scan_backward, 1)
BACKWARD(selective_scan_backward_wide, 8)

/// The gradient of B or C: the sum over the blocks that share it, in their order. One thread a number of it.
extern "C" __global__ void selective_scan_sum_shared(
    const float* sums, float* gradient, int blocks, int batches, int groups, int states, int length, int time_last) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= static_cast<i64>(batches) * groups * states * length)
        return;
    const int n = i % states, t = i / states % length, group = i / states / length % groups, batch = i / states / length / groups;
    const int of_group = blocks / groups;
    float sum = 0;
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
