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
