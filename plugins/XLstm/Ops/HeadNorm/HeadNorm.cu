// head_norm and its backward (README.md). A warp has a row of a head at a time; in backward a block has one head's rows for some steps, so that the
// gradients of weight and skip are summed in shared memory, a warp's own at first, then the warps', in order.
#include "zoo.cuh"
#include "Pieces.cuh"

using namespace zoo;

constexpr int MostWarps = 8;

/// What both passes read; null where it was not given.
struct Pass {
    const float *weight, *skip, *conv, *gate;
    int heads, length, dim, is_silu;
    float offset;

    /// Number of a head's row, steps counted through all sequences, where heads lie apart.
    __device__ i64 row(int head, i64 step) const { return (step / length * heads + head) * length + step % length; }

    /// Where it begins, where heads lie together.
    __device__ i64 together(int head, i64 step) const { return (step * heads + head) * dim; }

    __device__ float scale(int channel) const { return weight ? weight[channel] + offset : 1; }

    __device__ float inner(float normalised, int channel, i64 at) const {
        const float scaled = normalised * scale(channel);
        return skip ? fmaf(skip[channel], conv[at], scaled) : scaled;
    }
};

extern "C" __global__ void __launch_bounds__(MostWarps * WarpSize) head_norm_forward(
    const float* h, const float* weight, const float* skip, const float* conv, const float* gate, float* y, float* means, float* rates,
    i64 rows, int heads, int length, int dim, int is_silu, float offset, float epsilon) {
    const Pass pass = {weight, skip, conv, gate, heads, length, dim, is_silu, offset};
    const i64 place = static_cast<i64>(blockIdx.x) * MostWarps + warp();
    if (place >= rows)
        return;
    const int head = place % heads;
    const i64 step = place / heads, row = pass.row(head, step), together = pass.together(head, step);
    h += row * dim;
    float total = 0;
    for (int d = lane(); d < dim; d += WarpSize)
        total += h[d];
    const float mean = warp_sum(total) / dim;
    float squares = 0;
    for (int d = lane(); d < dim; d += WarpSize) {
        const float c = h[d] - mean;
        squares = fmaf(c, c, squares);
    }
    const float rate = 1 / sqrtf(warp_sum(squares) / dim + epsilon);
    for (int d = lane(); d < dim; d += WarpSize) {
        const float inner = pass.inner((h[d] - mean) * rate, head * dim + d, together + d);
        const float g = gate ? gate[together + d] : 0;
        y[together + d] = !gate ? inner : inner * (is_silu ? silu(g) : sigmoid(g));
    }
    if (rates && lane() == 0) {
        means[row] = mean;
        rates[row] = rate;
    }
}

/// Gradients of steps blockIdx.x · steps_of_block and on of head blockIdx.y; of weight and skip this block's piece, [piece, head · dim].
extern "C" __global__ void __launch_bounds__(MostWarps * WarpSize) head_norm_backward(
    const float* h, const float* weight, const float* skip, const float* conv, const float* gate, const float* means, const float* rates,
    const float* grad_y, float* grad_h, float* grad_conv, float* grad_gate, float* weight_pieces, float* skip_pieces,
    i64 steps, int steps_of_block, int heads, int length, int dim, int is_silu, float offset) {
    const Pass pass = {weight, skip, conv, gate, heads, length, dim, is_silu, offset};
    const int warps = blockDim.x / WarpSize, head = blockIdx.y;
    float* const shared = dynamic_shared<float>();      // [warp, dim] of each
    float* const of_weight = shared + warp() * dim;
    float* const of_skip = of_weight + warps * dim;
    float* const grads = of_skip + warps * dim;
    for (int d = lane(); d < dim; d += WarpSize)
        of_weight[d] = of_skip[d] = 0;
    const i64 first = static_cast<i64>(blockIdx.x) * steps_of_block, end = first + steps_of_block < steps ? first + steps_of_block : steps;
    for (i64 step = first + warp(); step < end; step += warps) {
        const i64 row = pass.row(head, step), together = pass.together(head, step), apart = row * dim;
        const float mean = means[row], rate = rates[row];
        float total = 0, product = 0;
        for (int d = lane(); d < dim; d += WarpSize) {
            const int channel = head * dim + d;
            const i64 at = together + d;
            const float normalised = (h[apart + d] - mean) * rate, given = grad_y ? grad_y[at] : 0;
            float grad = given;
            if (gate) {
                const float g = gate[at], s = sigmoid(g), slope = s * (1 - s);
                grad *= is_silu ? g * s : s;
                if (grad_gate)
                    grad_gate[at] = given * pass.inner(normalised, channel, at) * (is_silu ? fmaf(g, slope, s) : slope);
            }
            if (skip) {
                of_skip[d] = fmaf(grad, conv[at], of_skip[d]);
                if (grad_conv)
                    grad_conv[at] = grad * skip[channel];
            }
            of_weight[d] = fmaf(grad, normalised, of_weight[d]);
            grad *= pass.scale(channel);
            grads[d] = grad;
            total += grad;
            product = fmaf(grad, normalised, product);
        }
        if (!grad_h)
            continue;
        const float mean_grad = warp_sum(total) / dim, mean_product = warp_sum(product) / dim;
        for (int d = lane(); d < dim; d += WarpSize)
            grad_h[apart + d] = rate * (grads[d] - mean_grad - (h[apart + d] - mean) * rate * mean_product);
    }
    __syncthreads();
    const i64 piece = (static_cast<i64>(blockIdx.x) * heads + head) * dim;
    for (int d = threadIdx.x; d < dim; d += blockDim.x) {
        float sum_weight = 0, sum_skip = 0;
        for (int w = 0; w < warps; w++) {
            sum_weight += shared[w * dim + d];
            sum_skip += shared[(warps + w) * dim + d];
        }
        if (weight_pieces)
            weight_pieces[piece + d] = sum_weight;
        if (skip_pieces)
            skip_pieces[piece + d] = sum_skip;
    }
}
