// Mean cross-entropy of a linear head, a chunk of the vocabulary at a time, and its backward (README.md).
//
// `logits` multiplies hidden states with the chunk's rows of the matrix, tiles of 32 by 32 through shared memory; `fold` takes the chunk into each
// row's largest logit and sum of exponentials, in the order of chunks. Backward makes the same logits again, turns them into their gradients and
// multiplies these with the matrix and with the hidden states. `dims` steps go through shared memory 32 at a time everywhere.
#include "zoo.cuh"

using namespace zoo;

constexpr int Tile = 32;
constexpr int TileRows = 8;                     // threads of a tile are 32 by 8: four rows each
constexpr int PerThread = Tile / TileRows;
constexpr int Threads = 256;

/// A matrix in memory: element (i, k) at i·row + k·step.
struct Matrix {
    const float* data;
    i64 row, step;
    int rows, steps;

    __device__ float at(int i, int k) const { return i < rows && k < steps ? data[i * row + k * step] : 0; }
};

/// c[i, j] = Σ_k a[i, k] b[j, k] for the block's tile; added to what is there, or in its place.
__device__ void product(const Matrix& a, const Matrix& b, float* c, i64 c_row, bool add) {
    __shared__ float left[Tile][Tile + 1], right[Tile][Tile + 1];
    const int x = threadIdx.x, y = threadIdx.y, first_row = blockIdx.y * Tile, first_column = blockIdx.x * Tile;
    float sums[PerThread];
    for (int i = 0; i < PerThread; i++)
        sums[i] = 0;
    for (int start = 0; start < a.steps; start += Tile) {
        for (int i = y; i < Tile; i += TileRows) {
            left[i][x] = a.at(first_row + i, start + x);
            right[i][x] = b.at(first_column + i, start + x);
        }
        __syncthreads();
        for (int i = 0; i < PerThread; i++) {
            for (int k = 0; k < Tile; k++)
                sums[i] = fmaf(left[y + i * TileRows][k], right[x][k], sums[i]);
        }
        __syncthreads();
    }
    for (int i = 0; i < PerThread; i++) {
        const int row = first_row + y + i * TileRows, column = first_column + x;
        if (row < a.rows && column < b.rows) {
            const i64 at = row * c_row + column;
            c[at] = add ? c[at] + sums[i] : sums[i];
        }
    }
}

/// The chunk's logits, [row, entry].
extern "C" __global__ void cross_entropy_logits(const float* hidden, const float* weight, float* logits, int rows, int entries, int dims) {
    product({hidden, dims, 1, rows, dims}, {weight, dims, 1, entries, dims}, logits, entries, false);
}

/// A block a row: the chunk joins the row's largest logit and sum. The first chunk begins them.
extern "C" __global__ void cross_entropy_fold(
    const float* logits, const float* bias, const i64* targets, float* largest, float* sums, float* target_logits, int first, int entries) {
    const i64 row = blockIdx.x;
    const float* mine = logits + row * entries;
    float top = -infinity();
    for (int i = threadIdx.x; i < entries; i += Threads)
        top = max_or_nan(top, mine[i] + (bias ? bias[i] : 0));
    top = block_max<Threads>(top);
    const float before = first > 0 ? largest[row] : -infinity(), now = max_or_nan(before, top), base = now == -infinity() ? 0 : now;
    float sum = 0;
    for (int i = threadIdx.x; i < entries; i += Threads)
        sum += expf(mine[i] + (bias ? bias[i] : 0) - base);
    sum = block_sum<Threads>(sum);                              // its barriers come after every thread has read `largest`
    if (threadIdx.x != 0)
        return;
    largest[row] = now;
    sums[row] = (first > 0 ? sums[row] * expf(before - base) : 0) + sum;
    const i64 target = targets[row] - first;
    if (target >= 0 && target < entries)
        target_logits[row] = mine[target] + (bias ? bias[target] : 0);
}

/// One block: log sums of the rows, where they are kept, and the mean loss.
extern "C" __global__ void cross_entropy_mean(const float* largest, const float* sums, const float* target_logits, float* log_sums, float* loss, int rows) {
    float total = 0;
    for (int row = threadIdx.x; row < rows; row += Threads) {
        const float log_sum = largest[row] + logf(sums[row]);
        if (log_sums)
            log_sums[row] = log_sum;
        total += log_sum - target_logits[row];
    }
    total = block_sum<Threads>(total);
    if (threadIdx.x == 0)
        *loss = total / rows;
}

/// Logits become their gradients, (softmax - 1 at the target) ḡ / rows.
extern "C" __global__ void cross_entropy_softmax(
    float* logits, const float* bias, const i64* targets, const float* log_sums, const float* grad_loss, int rows, int first, int entries) {
    const i64 i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    if (i >= static_cast<i64>(rows) * entries)
        return;
    const i64 row = i / entries;
    const int entry = static_cast<int>(i % entries);
    const float probability = expf(logits[i] + (bias ? bias[entry] : 0) - log_sums[row]);
    logits[i] = (probability - (targets[row] - first == entry ? 1 : 0)) * (*grad_loss / rows);
}

extern "C" __global__ void cross_entropy_grad_hidden(const float* grads, const float* weight, float* grad_hidden, int rows, int entries, int dims, int add) {
    product({grads, entries, 1, rows, entries}, {weight, 1, dims, dims, entries}, grad_hidden, dims, add);
}

extern "C" __global__ void cross_entropy_grad_weight(const float* grads, const float* hidden, float* grad_weight, int rows, int entries, int dims) {
    product({grads, 1, entries, entries, rows}, {hidden, 1, dims, dims, rows}, grad_weight, dims, false);
}

/// A thread an entry.
extern "C" __global__ void cross_entropy_grad_bias(const float* grads, float* grad_bias, int rows, int entries) {
    const int entry = blockIdx.x * Threads + threadIdx.x;
    if (entry >= entries)
        return;
    float sum = 0;
    for (int row = 0; row < rows; row++)
        sum += grads[static_cast<i64>(row) * entries + entry];
    grad_bias[entry] = sum;
}
