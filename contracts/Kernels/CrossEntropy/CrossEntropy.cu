// Mean cross-entropy of a linear head without its logits, and its backward (README.md). Products are those of product.cuh.
//
// Forward: a block makes a tile of logits, and of each row keeps the largest and the sum of exponentials above it; `fold` joins a row's tiles in their order.
// Backward, a chunk of the vocabulary at a time: the same logits again, which become their gradients as they leave the registers, and these times the
// matrix and the hidden states. Each kernel comes with large tiles and with small ones, for sizes that would leave most of a large one empty.
#include "product.cuh"

using namespace zoo;

using Large = LargeProduct;
using Small = SmallProduct;

constexpr int Threads = 256;
constexpr int FoldRows = 32, FoldParts = 8;

/// The largest of some logits, and the sum of exponentials above it.
struct Part {
    float largest, sum;

    __device__ Part with(Part other) const {
        const float top = max_or_nan(largest, other.largest), base = top == -infinity() ? 0 : top;
        return {top, sum * expf(largest - base) + other.sum * expf(other.largest - base)};
    }
};

/// Over the four lanes that hold a row of a fragment.
template <class F> __device__ __forceinline__ float of_row(float value, F combine) {
    value = combine(value, __shfl_xor_sync(WholeWarp, value, 1));
    return combine(value, __shfl_xor_sync(WholeWarp, value, 2));
}

/// The tile's part of each row's softmax, parts[column tile, row], and the logits of targets that lie in it.
template <class Plan>
__device__ void logits_parts(
    const float* hidden, const float* weight, const float* bias, const i64* targets, Part* parts, float* target_logits, int rows, int entries, int dims) {
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (entries + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> logits;
    product<Plan, true, true>(logits, {hidden, dims, rows}, {weight, dims, entries}, tile, 0, dims);
    logits.each([&](int, int column, float& logit) { logit = column < entries ? logit + (bias ? bias[column] : 0) : -infinity(); });
    Part* const of_warps = dynamic_shared<Part>();                // [warp across, row of the tile]
    logits.each_row([&](int row, auto logit) {
        float top = -infinity(), sum = 0;
#pragma unroll
        for (int c = 0; c < logit.Count; c++)
            top = max_or_nan(top, logit[c]);
        top = of_row(top, Maximum());
        const float base = top == -infinity() ? 0 : top;
        const i64 target = row < rows ? targets[row] : -1;
#pragma unroll
        for (int c = 0; c < logit.Count; c++) {
            sum += expf(logit[c] - base);
            if (logit.column(c) == target)
                target_logits[row] = logit[c];
        }
        sum = of_row(sum, Sum());
        if (lane() % 4 == 0)
            of_warps[threadIdx.x / WarpSize % Plan::WarpsAcross * Plan::Rows + row - tile.row * Plan::Rows] = {top, sum};
    });
    __syncthreads();
    const int row = tile.row * Plan::Rows + threadIdx.x;
    if (threadIdx.x < Plan::Rows && row < rows) {
        Part all = of_warps[threadIdx.x];
        for (int w = 1; w < Plan::WarpsAcross; w++)
            all = all.with(of_warps[w * Plan::Rows + threadIdx.x]);
        parts[static_cast<i64>(tile.column) * rows + row] = all;
    }
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) cross_entropy_parts_large(
    const float* hidden, const float* weight, const float* bias, const i64* targets, Part* parts, float* target_logits, int rows, int entries, int dims) {
    logits_parts<Large>(hidden, weight, bias, targets, parts, target_logits, rows, entries, dims);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) cross_entropy_parts_small(
    const float* hidden, const float* weight, const float* bias, const i64* targets, Part* parts, float* target_logits, int rows, int entries, int dims) {
    logits_parts<Small>(hidden, weight, bias, targets, parts, target_logits, rows, entries, dims);
}

/// Log sums of the rows, and losses in the place of their targets' logits. 32 rows a block, whose tiles are shared among eight threads.
extern "C" __global__ void __launch_bounds__(FoldRows * FoldParts) cross_entropy_fold(const Part* parts, float* losses, float* log_sums, int rows, int tiles) {
    __shared__ Part of_threads[FoldParts][FoldRows];
    const int row = blockIdx.x * FoldRows + threadIdx.x;
    Part all = {-infinity(), 0};
    for (int tile = threadIdx.y; tile < tiles && row < rows; tile += FoldParts)
        all = all.with(parts[static_cast<i64>(tile) * rows + row]);
    of_threads[threadIdx.y][threadIdx.x] = all;
    __syncthreads();
    if (threadIdx.y > 0 || row >= rows)
        return;
    for (int part = 1; part < FoldParts; part++)
        all = all.with(of_threads[part][threadIdx.x]);
    const float log_sum = all.largest + logf(all.sum);
    log_sums[row] = log_sum;
    losses[row] = log_sum - losses[row];
}

/// One block: the mean loss.
extern "C" __global__ void cross_entropy_mean(const float* losses, float* loss, int rows) {
    float total = 0;
    for (int row = threadIdx.x; row < rows; row += Threads)
        total += losses[row];
    total = block_sum<Threads>(total);
    if (threadIdx.x == 0)
        *loss = total / rows;
}

/// Gradients of a chunk's logits, (softmax - 1 at the target) ḡ / rows: [row, entry].
template <class Plan>
__device__ void logits_gradients(
    const float* hidden, const float* weight, const float* bias, const i64* targets, const float* log_sums, const float* grad_loss, float* grads, int rows,
    int first, int entries, int dims) {
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (entries + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> logits;
    product<Plan, true, true>(logits, {hidden, dims, rows}, {weight, dims, entries}, tile, 0, dims);
    const float scale = *grad_loss / rows;
    logits.each_row([&](int row, auto logit) {
        if (row >= rows)
            return;
        const i64 target = targets[row] - first;
        const float log_sum = log_sums[row];
#pragma unroll
        for (int c = 0; c < logit.Count; c++) {
            const int column = logit.column(c);
            const float z = logit[c] + (bias && column < entries ? bias[column] : 0);
            logit[c] = (expf(z - log_sum) - (column == target ? 1 : 0)) * scale;
        }
        logit.store(grads + static_cast<i64>(row) * entries, entries);
    });
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) cross_entropy_gradients_large(
    const float* hidden, const float* weight, const float* bias, const i64* targets, const float* log_sums, const float* grad_loss, float* grads, int rows,
    int first, int entries, int dims) {
    logits_gradients<Large>(hidden, weight, bias, targets, log_sums, grad_loss, grads, rows, first, entries, dims);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) cross_entropy_gradients_small(
    const float* hidden, const float* weight, const float* bias, const i64* targets, const float* log_sums, const float* grad_loss, float* grads, int rows,
    int first, int entries, int dims) {
    logits_gradients<Small>(hidden, weight, bias, targets, log_sums, grad_loss, grads, rows, first, entries, dims);
}

/// ∂hidden of a chunk, in place of what is there or added to it.
template <class Plan>
__device__ void hidden_gradients(const float* grads, const float* weight, float* grad_hidden, int rows, int entries, int dims, bool add) {
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (dims + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> sums;
    product<Plan, true, false>(sums, {grads, entries, rows}, {weight, dims, dims}, tile, 0, entries);
    sums.each_row([&](int row, auto sum) {
        if (row >= rows)
            return;
        float* const to = grad_hidden + static_cast<i64>(row) * dims;
#pragma unroll
        for (int c = 0; c < sum.Count && add; c++) {
            if (sum.column(c) < dims)
                sum[c] += to[sum.column(c)];
        }
        sum.store(to, dims);
    });
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) cross_entropy_grad_hidden_large(
    const float* grads, const float* weight, float* grad_hidden, int rows, int entries, int dims, int add) {
    hidden_gradients<Large>(grads, weight, grad_hidden, rows, entries, dims, add);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) cross_entropy_grad_hidden_small(
    const float* grads, const float* weight, float* grad_hidden, int rows, int entries, int dims, int add) {
    hidden_gradients<Small>(grads, weight, grad_hidden, rows, entries, dims, add);
}

template <class Plan> __device__ void weight_gradients(const float* grads, const float* hidden, float* grad_weight, int rows, int entries, int dims) {
    const ProductTile tile((entries + Plan::Rows - 1) / Plan::Rows, (dims + Plan::Columns - 1) / Plan::Columns);
    ProductSums<Plan> sums;
    product<Plan, false, false>(sums, {grads, entries, entries}, {hidden, dims, dims}, tile, 0, rows);
    sums.each_row([&](int entry, auto sum) {
        if (entry < entries)
            sum.store(grad_weight + static_cast<i64>(entry) * dims, dims);
    });
}

extern "C" __global__ void __launch_bounds__(Large::Threads, Large::Blocks) cross_entropy_grad_weight_large(
    const float* grads, const float* hidden, float* grad_weight, int rows, int entries, int dims) {
    weight_gradients<Large>(grads, hidden, grad_weight, rows, entries, dims);
}

extern "C" __global__ void __launch_bounds__(Small::Threads, Small::Blocks) cross_entropy_grad_weight_small(
    const float* grads, const float* hidden, float* grad_weight, int rows, int entries, int dims) {
    weight_gradients<Small>(grads, hidden, grad_weight, rows, entries, dims);
}

/// 32 entries a block, whose rows are shared among eight threads.
extern "C" __global__ void __launch_bounds__(FoldRows * FoldParts) cross_entropy_grad_bias(const float* grads, float* grad_bias, int rows, int entries) {
    __shared__ float of_threads[FoldParts][FoldRows];
    const int entry = blockIdx.x * FoldRows + threadIdx.x;
    float sum = 0;
    for (int row = threadIdx.y; row < rows && entry < entries; row += FoldParts)
        sum += grads[static_cast<i64>(row) * entries + entry];
    of_threads[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || entry >= entries)
        return;
    for (int part = 1; part < FoldParts; part++)
        sum += of_threads[part][threadIdx.x];
    grad_bias[entry] = sum;
}
