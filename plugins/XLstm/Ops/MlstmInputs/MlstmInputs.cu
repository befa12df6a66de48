// mlstm_inputs and its backward (README.md): what is block-diagonal is a thread a number; the gates and their weights' gradients are products over all
// channels or all steps, in tiles.
#include "zoo.cuh"
#include "Pieces.cuh"
#include "Tiles.cuh"

using namespace zoo;

constexpr int Threads = 256;

/// Sizes, and where numbers lie.
struct Sizes {
    int length, width, block, heads;

    __device__ int dim() const { return width / heads; }

    /// Where heads lie apart, [batch, head, time, dim]; steps counted through all sequences.
    __device__ i64 apart(i64 step, int channel) const {
        return ((step / length * heads + channel / dim()) * length + step % length) * dim() + channel % dim();
    }
};

/// A channel of a block-diagonal matrix times its block of x.
__device__ float along(const float* weights, const float* x, const float* bias, int channel, int block) {
    float sum = bias ? bias[channel] : 0;
    for (int i = 0; i < block; i++)
        sum = fmaf(weights[static_cast<i64>(channel) * block + i], x[i], sum);
    return sum;
}

extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_forward(
    const float* x, const float* conv, const float* wq, const float* wk, const float* wv, const float* bq, const float* bk, const float* bv,
    float* q, float* k, float* v, i64 steps, int length, int width, int block, int heads) {
    const Sizes sizes = {length, width, block, heads};
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    if (i >= steps * width)
        return;
    const int channel = i % width, first = channel / block * block;
    const i64 step = i / width, from = step * width + first, to = sizes.apart(step, channel);
    q[to] = along(wq, conv + from, bq, channel, block);
    k[to] = along(wk, conv + from, bk, channel, block);
    v[to] = along(wv, x + from, bv, channel, block);
}

/// Tiles of one of q, k and v: `part`, then its head, then dimensions of that.
struct ChannelTile {
    int part, head, first, columns;

    __device__ ChannelTile(int number, int heads, int dim) {
        const int of_head = (dim + tiles::Size - 1) / tiles::Size;
        part = number / (heads * of_head);
        head = number / of_head % heads;
        first = number % of_head * tiles::Size;
        columns = min(tiles::Size, dim - first);
    }

    __device__ static int count(int heads, int dim) { return 3 * heads * ((dim + tiles::Size - 1) / tiles::Size); }
};

/// i and f of 64 steps of a sequence: block (steps, sequence, 64 of the 2 · heads gates).
extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_inputs_gates(
    const float* q, const float* k, const float* v, const float* wi, const float* bi, const float* wf, const float* bf, float* input, float* forget,
    int length, int width, int heads) {
    __shared__ __align__(16) float made[tiles::Floats], weights[tiles::Floats];
    const int dim = width / heads, start = blockIdx.x * tiles::Size, rows = min(tiles::Size, length - start), first_gate = blockIdx.z * tiles::Size;
    const int gates = min(tiles::Size, 2 * heads - first_gate), batch = blockIdx.y;
    tiles::Product product;
    for (int number = 0; number < ChannelTile::count(heads, dim); number++) {
        const ChannelTile tile(number, heads, dim);
        const float* source = tile.part == 0 ? q : tile.part == 1 ? k : v;
        tiles::load(made, source + ((static_cast<i64>(batch) * heads + tile.head) * length + start) * dim + tile.first, dim, rows, tile.columns);
        const i64 channel = static_cast<i64>(tile.part) * width + tile.head * dim + tile.first;
        tiles::load(weights, gates, tile.columns, [=](int r) {
            const int gate = first_gate + r;
            return (gate < heads ? wi + static_cast<i64>(gate) * 3 * width : wf + static_cast<i64>(gate - heads) * 3 * width) + channel;
        });
        tiles::arrive();
        product.add<false, true>(made, weights, 0, tiles::whole(tile.columns), rows, gates);
        __syncthreads();
    }
    product.each([&](int row, int column, float sum) {
        const int gate = first_gate + column, head = gate % heads;
        if (row >= rows || column >= gates)
            return;
        const i64 to = (static_cast<i64>(batch) * heads + head) * length + start + row;
        if (gate < heads)
            input[to] = sum + bi[head];
        else
            forget[to] = sum + bf[head];
    });
}

/// The whole gradient of q, k and v, their own and what comes through the gates: [3, batch, head, time, dim].
extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_through(
    const float* grad_q, const float* grad_k, const float* grad_v, const float* grad_i, const float* grad_f, const float* wi, const float* wf,
    float* grads, i64 steps, int length, int width, int heads) {
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x, count = steps * width;
    if (i >= 3 * count)
        return;
    const int part = i / count, dim = width / heads;
    const i64 at = i % count, row = at / dim, sequence = row / length / heads;
    const int channel = row / length % heads * dim + at % dim;
    const float* own = part == 0 ? grad_q : part == 1 ? grad_k : grad_v;
    float grad = own ? own[at] : 0;
    for (int head = 0; head < heads; head++) {
        const i64 weight = (static_cast<i64>(head) * 3 + part) * width + channel, gate = (sequence * heads + head) * length + row % length;
        if (grad_i)
            grad = fmaf(grad_i[gate], wi[weight], grad);
        if (grad_f)
            grad = fmaf(grad_f[gate], wf[weight], grad);
    }
    grads[i] = grad;
}

extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_grad_inputs(
    const float* grads, const float* wq, const float* wk, const float* wv, float* grad_x, float* grad_conv,
    i64 steps, int length, int width, int block, int heads) {
    const Sizes sizes = {length, width, block, heads};
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x, count = steps * width;
    if (i >= count)
        return;
    const int channel = i % width, first = channel / block * block;
    const i64 step = i / width;
    float of_conv = 0, of_x = 0;
    for (int o = 0; o < block; o++) {
        const i64 from = sizes.apart(step, first + o), weight = static_cast<i64>(first + o) * block + channel - first;
        of_conv = fmaf(grads[from], wq[weight], of_conv);
        of_conv = fmaf(grads[count + from], wk[weight], of_conv);
        of_x = fmaf(grads[2 * count + from], wv[weight], of_x);
    }
    if (grad_conv)
        grad_conv[i] = of_conv;
    if (grad_x)
        grad_x[i] = of_x;
}

/// Of the block-diagonal weights and their biases, the piece of steps blockIdx.y · steps_of_block and on: [piece, 3 · width · block + 3 · width].
extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_grad_weights(
    const float* grads, const float* x, const float* conv, float* pieces, i64 steps, int steps_of_block, int length, int width, int block, int heads) {
    const Sizes sizes = {length, width, block, heads};
    const int size = width * block, i = blockIdx.x * Threads + threadIdx.x;
    if (i >= 3 * size)
        return;
    const int part = i / size, channel = i % size / block, column = i % block, from = channel / block * block + column;
    const float* source = part == 2 ? x : conv;
    grads += part * steps * width;
    const i64 first = static_cast<i64>(blockIdx.y) * steps_of_block, end = first + steps_of_block < steps ? first + steps_of_block : steps;
    float sum = 0, bias = 0;
    for (i64 step = first; step < end; step++) {
        const float grad = grads[sizes.apart(step, channel)];
        sum = fmaf(grad, source[step * width + from], sum);
        bias += grad;
    }
    pieces += blockIdx.y * static_cast<i64>(3 * size + 3 * width);
    pieces[i] = sum;
    if (column == 0)
        pieces[3 * size + part * width + channel] = bias;
}

/// Of the gates' weights and biases, a piece of some groups of 64 steps: block (64 channels, piece, 64 of the 2 · heads gates);
/// [piece, 2 · heads · 3 · width + 2 · heads].
extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_inputs_grad_gates(
    const float* q, const float* k, const float* v, const float* grad_i, const float* grad_f, float* pieces,
    int groups, int groups_of_block, int length, int width, int heads) {
    __shared__ __align__(16) float made[tiles::Floats], grads[tiles::Floats];
    const int dim = width / heads, groups_of_sequence = (length + tiles::Size - 1) / tiles::Size, first_gate = blockIdx.z * tiles::Size;
    const int gates = min(tiles::Size, 2 * heads - first_gate);
    const ChannelTile tile(blockIdx.x, heads, dim);
    const float* source = tile.part == 0 ? q : tile.part == 1 ? k : v;
    tiles::Product product;
    float bias = 0;
    for (int group = blockIdx.y * groups_of_block; group < min(groups, (static_cast<int>(blockIdx.y) + 1) * groups_of_block); group++) {
        const int batch = group / groups_of_sequence, start = group % groups_of_sequence * tiles::Size, count = min(tiles::Size, length - start);
        const i64 at = (static_cast<i64>(batch) * heads + tile.head) * length + start;
        tiles::load(made, source + at * dim + tile.first, dim, count, tile.columns);
        tiles::load(grads, gates, count, [=](int r) -> const float* {
            const int gate = first_gate + r;
            const float* of_gate = gate < heads ? grad_i : grad_f;
            return of_gate ? of_gate + (static_cast<i64>(batch) * heads + gate % heads) * length + start : nullptr;
        });
        tiles::arrive();
        product.add<false, false>(grads, made, 0, tiles::whole(count), gates, tile.columns);
        if (threadIdx.x < gates) {
            for (int t = 0; t < count; t++)
                bias += grads[threadIdx.x * tiles::Row + t];
        }
        __syncthreads();
    }
    const i64 size = static_cast<i64>(2 * heads) * 3 * width;
    pieces += blockIdx.y * (size + 2 * heads);
    product.each([&](int row, int column, float sum) {
        if (row < gates && column < tile.columns)
            pieces[(static_cast<i64>(first_gate + row) * 3 + tile.part) * width + tile.head * dim + tile.first + column] = sum;
    });
    if (blockIdx.x == 0 && threadIdx.x < gates)
        pieces[size + first_gate + threadIdx.x] = bias;
}

// ---- blocks of four channels and at most eight gates, which is what the published models have: a thread has a block, 16 bytes at a time; what comes of
// them goes on in registers, so that every tensor of time is read or written once.

constexpr int Block = 4;                // channels
constexpr int MostGates = 8;
constexpr int StepsOfFours = 8;         // of a block, forward
constexpr int Warps = Threads / WarpSize;
constexpr int Strip = WarpSize * Block; // channels of a warp

struct alignas(16) Four {
    float at[Block];
};

__device__ __forceinline__ Four four(const float* from) { return *reinterpret_cast<const Four*>(from); }
__device__ __forceinline__ Four none() { return {{0, 0, 0, 0}}; }

/// Where a gate's weights begin.
__device__ __forceinline__ const float* gate_weights(const float* wi, const float* wf, int gate, int heads, int width) {
    return gate < heads ? wi + static_cast<i64>(gate) * 3 * width : wf + static_cast<i64>(gate - heads) * 3 * width;
}

/// q, k, v and the gates of eight steps of a sequence: block (steps, sequence).
extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_forward_fours(
    const float* x, const float* conv, const float* wq, const float* wk, const float* wv, const float* bq, const float* bk, const float* bv,
    const float* wi, const float* bi, const float* wf, const float* bf, float* q, float* k, float* v, float* input, float* forget,
    int length, int width, int heads) {
    __shared__ float parts[Warps][MostGates][StepsOfFours];
    const int batch = blockIdx.y, start = blockIdx.x * StepsOfFours, count = min(StepsOfFours, length - start), dim = width / heads;
    const i64 from = (static_cast<i64>(batch) * length + start) * width;
    float sums[MostGates][StepsOfFours];
#pragma unroll
    for (int i = 0; i < MostGates * StepsOfFours; i++)
        sums[i / StepsOfFours][i % StepsOfFours] = 0;
    for (int channel = threadIdx.x * Block; channel < width; channel += Threads * Block) {
        const int head = channel / dim;
        const i64 to = ((static_cast<i64>(batch) * heads + head) * length + start) * dim + channel - head * dim;
        Four given[StepsOfFours];
#pragma unroll
        for (int part = 0; part < 3; part++) {
            const float *const weights = part == 0 ? wq : part == 1 ? wk : wv, *const bias = part == 0 ? bq : part == 1 ? bk : bv;
            float* const target = part == 0 ? q : part == 1 ? k : v;
            if (part != 1) {
                const float* const source = part == 0 ? conv : x;
#pragma unroll
                for (int s = 0; s < StepsOfFours; s++)
                    given[s] = s < count ? four(source + from + static_cast<i64>(s) * width + channel) : none();
            }
            Four rows[Block], made[StepsOfFours];
            const Four begin = bias ? four(bias + channel) : none();
#pragma unroll
            for (int o = 0; o < Block; o++)
                rows[o] = four(weights + static_cast<i64>(channel + o) * Block);
#pragma unroll
            for (int s = 0; s < StepsOfFours; s++) {
#pragma unroll
                for (int o = 0; o < Block; o++) {
                    float sum = begin.at[o];
#pragma unroll
                    for (int i = 0; i < Block; i++)
                        sum = fmaf(rows[o].at[i], given[s].at[i], sum);
                    made[s].at[o] = sum;
                }
                if (s < count)
                    *reinterpret_cast<Four*>(target + to + static_cast<i64>(s) * dim) = made[s];
            }
#pragma unroll
            for (int gate = 0; gate < MostGates; gate++) {
                if (gate < 2 * heads) {
                    const Four weight = four(gate_weights(wi, wf, gate, heads, width) + part * width + channel);
#pragma unroll
                    for (int s = 0; s < StepsOfFours; s++) {
#pragma unroll
                        for (int e = 0; e < Block; e++)
                            sums[gate][s] = fmaf(made[s].at[e], weight.at[e], sums[gate][s]);
                    }
                }
            }
        }
    }
#pragma unroll
    for (int gate = 0; gate < MostGates; gate++) {
        if (gate < 2 * heads) {
#pragma unroll
            for (int s = 0; s < StepsOfFours; s++) {
                const float sum = warp_sum(sums[gate][s]);
                if (lane() == 0)
                    parts[warp()][gate][s] = sum;
            }
        }
    }
    __syncthreads();
    const int gate = threadIdx.x / StepsOfFours, s = threadIdx.x % StepsOfFours, head = gate % heads;
    if (gate >= 2 * heads || s >= count)
        return;
    float sum = 0;
    for (int w = 0; w < Warps; w++)
        sum += parts[w][gate][s];
    const i64 to = (static_cast<i64>(batch) * heads + head) * length + start + s;
    if (gate < heads)
        input[to] = sum + bi[head];
    else
        forget[to] = sum + bf[head];
}

/// Gradients of x and conv, and of the blocks' weights and biases the piece of some steps, as mlstm_inputs_grad_weights has it: block (128 channels, piece).
/// A warp has every eighth step. An absent gradient of q, k, v, i or f is zero.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_backward_fours(
    const float* x, const float* conv, const float* wq, const float* wk, const float* wv, const float* wi, const float* wf,
    const float* grad_q, const float* grad_k, const float* grad_v, const float* grad_i, const float* grad_f, float* grad_x, float* grad_conv, float* pieces,
    i64 steps, int steps_of_block, int length, int width, int heads) {
    __shared__ Four gates[3][MostGates][WarpSize];
    __shared__ Four parts[Warps][WarpSize];
    const int channel = blockIdx.x * Strip + lane() * Block, dim = width / heads, head = min(channel / dim, heads - 1);
    const bool inside = channel < width;
    for (int i = threadIdx.x; i < 3 * MostGates * WarpSize; i += Threads) {
        const int part = i / (MostGates * WarpSize), gate = i / WarpSize % MostGates, at = blockIdx.x * Strip + i % WarpSize * Block;
        const bool known = gate < 2 * heads && at < width && (gate < heads ? grad_i : grad_f);
        gates[part][gate][i % WarpSize] = known ? four(gate_weights(wi, wf, gate, heads, width) + part * width + at) : none();
    }
    __syncthreads();
    Four weights[3][Block], of_weights[3][Block], of_bias[3];
#pragma unroll
    for (int part = 0; part < 3; part++) {
        of_bias[part] = none();
#pragma unroll
        for (int o = 0; o < Block; o++) {
            weights[part][o] = inside ? four((part == 0 ? wq : part == 1 ? wk : wv) + static_cast<i64>(channel + o) * Block) : none();
            of_weights[part][o] = none();
        }
    }
    const i64 first = static_cast<i64>(blockIdx.y) * steps_of_block, end = first + steps_of_block < steps ? first + steps_of_block : steps;
    i64 sequence = (first + warp()) / length;
    int time = static_cast<int>((first + warp()) % length);
    for (i64 step = first + warp(); step < end; step += Warps) {
        const i64 row = (sequence * heads + head) * length + time, own = row * dim + channel - head * dim, at = step * width + channel;
        const Four of_q = grad_q && inside ? four(grad_q + own) : none(), of_k = grad_k && inside ? four(grad_k + own) : none();
        const Four of_v = grad_v && inside ? four(grad_v + own) : none();
        const Four from_conv = inside ? four(conv + at) : none(), from_x = inside ? four(x + at) : none();
        const float* const of_gates = lane() < heads ? grad_i : grad_f;
        const float of_gate = lane() < 2 * heads && of_gates ? of_gates[(sequence * heads + lane() % heads) * length + time] : 0;
        Four grads[3] = {of_q, of_k, of_v};
#pragma unroll
        for (int gate = 0; gate < MostGates; gate++) {
            if (gate < 2 * heads) {
                const float by = __shfl_sync(WholeWarp, of_gate, gate);
#pragma unroll
                for (int part = 0; part < 3; part++) {
                    const Four weight = gates[part][gate][lane()];
#pragma unroll
                    for (int e = 0; e < Block; e++)
                        grads[part].at[e] = fmaf(by, weight.at[e], grads[part].at[e]);
                }
            }
        }
        Four of_conv = none(), of_x = none();
#pragma unroll
        for (int o = 0; o < Block; o++) {
#pragma unroll
            for (int i = 0; i < Block; i++) {
                of_conv.at[i] = fmaf(grads[0].at[o], weights[0][o].at[i], of_conv.at[i]);
                of_conv.at[i] = fmaf(grads[1].at[o], weights[1][o].at[i], of_conv.at[i]);
                of_x.at[i] = fmaf(grads[2].at[o], weights[2][o].at[i], of_x.at[i]);
#pragma unroll
                for (int part = 0; part < 3; part++)
                    of_weights[part][o].at[i] = fmaf(grads[part].at[o], part == 2 ? from_x.at[i] : from_conv.at[i], of_weights[part][o].at[i]);
            }
#pragma unroll
            for (int part = 0; part < 3; part++)
                of_bias[part].at[o] += grads[part].at[o];
        }
        if (grad_conv && inside)
            *reinterpret_cast<Four*>(grad_conv + at) = of_conv;
        if (grad_x && inside)
            *reinterpret_cast<Four*>(grad_x + at) = of_x;
        for (time += Warps; time >= length; time -= length)
            sequence++;
    }
    if (!pieces)
        return;
    // The warps' sums, in the order of the warps.
    const int size = width * Block;
    pieces += blockIdx.y * static_cast<i64>(3 * size + 3 * width);
    const auto add = [&](const Four& sum, i64 to) {
        parts[warp()][lane()] = sum;
        __syncthreads();
        if (warp() == 0 && inside) {
            Four all = sum;
            for (int w = 1; w < Warps; w++) {
                const Four other = parts[w][lane()];
#pragma unroll
                for (int e = 0; e < Block; e++)
                    all.at[e] += other.at[e];
            }
#pragma unroll
            for (int e = 0; e < Block; e++)
                pieces[to + e] = all.at[e];
        }
        __syncthreads();
    };
#pragma unroll
    for (int part = 0; part < 3; part++) {
#pragma unroll
        for (int o = 0; o < Block; o++)
            add(of_weights[part][o], static_cast<i64>(part) * size + static_cast<i64>(channel + o) * Block);
        add(of_bias[part], 3 * static_cast<i64>(size) + part * width + channel);
    }
}

/// Of the gates' weights and biases, as mlstm_inputs_grad_gates: block (1024 of the 3 · width channels, piece).
extern "C" __global__ void __launch_bounds__(Threads) mlstm_inputs_grad_gates_fours(
    const float* q, const float* k, const float* v, const float* grad_i, const float* grad_f, float* pieces,
    int groups, int groups_of_block, int length, int width, int heads) {
    constexpr int Steps = tiles::Size;
    __shared__ float given[Steps][MostGates];
    const int dim = width / heads, groups_of_sequence = (length + Steps - 1) / Steps, all = (blockIdx.x * Threads + threadIdx.x) * Block;
    const bool inside = all < 3 * width;
    const int part = inside ? all / width : 0, channel = inside ? all - part * width : 0, head = channel / dim;
    const float* const source = part == 0 ? q : part == 1 ? k : v;
    Four sums[MostGates];
#pragma unroll
    for (int gate = 0; gate < MostGates; gate++)
        sums[gate] = none();
    float bias = 0;
    for (int group = blockIdx.y * groups_of_block; group < min(groups, (static_cast<int>(blockIdx.y) + 1) * groups_of_block); group++) {
        const int batch = group / groups_of_sequence, start = group % groups_of_sequence * Steps, count = min(Steps, length - start);
        for (int i = threadIdx.x; i < Steps * MostGates; i += Threads) {
            const int gate = i / Steps, t = i % Steps;
            const float* of_gate = gate < heads ? grad_i : grad_f;
            given[t][gate] = gate < 2 * heads && t < count && of_gate ? of_gate[(static_cast<i64>(batch) * heads + gate % heads) * length + start + t] : 0;
        }
        __syncthreads();
        if (inside) {
            const float* from = source + ((static_cast<i64>(batch) * heads + head) * length + start) * dim + channel - head * dim;
#pragma unroll 4
            for (int t = 0; t < count; t++) {
                const Four made = four(from + static_cast<i64>(t) * dim);
#pragma unroll
                for (int gate = 0; gate < MostGates; gate++) {
#pragma unroll
                    for (int e = 0; e < Block; e++)
                        sums[gate].at[e] = fmaf(given[t][gate], made.at[e], sums[gate].at[e]);
                }
            }
        }
        if (blockIdx.x == 0 && threadIdx.x < 2 * heads) {
            for (int t = 0; t < count; t++)
                bias += given[t][threadIdx.x];
        }
        __syncthreads();
    }
    const i64 size = static_cast<i64>(2 * heads) * 3 * width;
    pieces += blockIdx.y * (size + 2 * heads);
#pragma unroll
    for (int gate = 0; gate < MostGates; gate++) {
        if (gate < 2 * heads && inside) {
#pragma unroll
            for (int e = 0; e < Block; e++)
                pieces[(static_cast<i64>(gate) * 3 + part) * width + channel + e] = sums[gate].at[e];
        }
    }
    if (blockIdx.x == 0 && threadIdx.x < 2 * heads)
        pieces[size + threadIdx.x] = bias;
}
