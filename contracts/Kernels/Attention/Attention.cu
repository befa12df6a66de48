// Softmax attention without its weights in memory, and its backward (README.md). Tiles of 32 queries by 32 keys; a block of 128 threads has four for
// each row of its tile: together they hold the row's sums, a quarter of the dimensions each.
//
// Forward and the gradient of q go along the keys that a tile of queries sees; the gradients of k and v along the queries that see a tile of keys,
// of all heads that read it, in order: no sum is shared between blocks.
#include "zoo.cuh"

using namespace zoo;

constexpr int Tile = 32;
constexpr int Threads = 128;
constexpr int Parts = Threads / Tile;
constexpr int MostDims = 128;
constexpr int MostOfPart = MostDims / Parts;

/// Sizes of the call, and where rows lie.
struct Sizes {
    int queries, keys, heads, key_heads, dims, causal;
    float scale;

    __device__ i64 query(int batch, int head, int row) const { return ((static_cast<i64>(batch) * queries + row) * heads + head) * dims; }
    __device__ i64 key(int batch, int head, int row) const { return ((static_cast<i64>(batch) * keys + row) * key_heads + head) * dims; }
    __device__ int seen(int row) const { return causal ? keys - queries + row + 1 : keys; }
};

/// Copies rows first… of a [row, dim] array with the given step into shared memory; rows beyond the end are zero.
__device__ void load_rows(float* shared, const float* source, i64 step, int first, int end, int dims) {
    for (int i = threadIdx.x; i < Tile * dims; i += Threads) {
        const int row = first + i / dims, d = i % dims;
        shared[i / dims * (MostDims + 1) + d] = row < end ? source[row * step + d] : 0;
    }
}

__device__ float dot(const float* a, const float* b, int dims) {
    float sum = 0;
    for (int d = 0; d < dims; d++)
        sum = fmaf(a[d], b[d], sum);
    return sum;
}

/// Over the four threads of a row.
template <class F> __device__ float of_row(float value, F combine) {
    value = combine(value, __shfl_xor_sync(0xFFFFFFFFu, value, 1));
    return combine(value, __shfl_xor_sync(0xFFFFFFFFu, value, 2));
}

constexpr int Row = MostDims + 1;

extern "C" __global__ void attention_forward(
    const float* q, const float* k, const float* v, float* y, float* log_sums,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    const Sizes sizes = {queries, keys, heads, key_heads, dims, causal, scale};
    float* shared = dynamic_shared<float>();
    float *mine = shared, *theirs = mine + Tile * Row, *weights = theirs + Tile * Row;     // weights: [Tile, Tile + 1]
    const int batch = blockIdx.y / heads, head = blockIdx.y % heads, key_head = head / (heads / key_heads);
    const int first = blockIdx.x * Tile, row = threadIdx.x / Parts, part = threadIdx.x % Parts, query = first + row;
    load_rows(mine, q + sizes.query(batch, head, 0), static_cast<i64>(heads) * dims, first, queries, dims);
    const int last = first + Tile < queries ? first + Tile : queries, end = sizes.seen(last - 1);
    const int seen = query < queries ? sizes.seen(query) : 0;
    float largest = -infinity(), sum = 0, sums[MostOfPart];
    for (int i = 0; i < MostOfPart; i++)
        sums[i] = 0;
    for (int start = 0; start < end; start += Tile) {
        __syncthreads();
        load_rows(theirs, k + sizes.key(batch, key_head, 0), static_cast<i64>(key_heads) * dims, start, keys, dims);
        __syncthreads();
        float scores[Tile / Parts], top = largest;
        for (int i = 0; i < Tile / Parts; i++) {
            const int key = i * Parts + part;
            scores[i] = start + key < seen ? dot(mine + row * Row, theirs + key * Row, dims) * scale : -infinity();
            top = max_or_nan(top, scores[i]);
        }
        top = of_row(top, Maximum());
        const float base = top == -infinity() ? 0 : top, shrink = expf(largest - base);
        float added = 0;
        for (int i = 0; i < Tile / Parts; i++) {
            const float weight = expf(scores[i] - base);
            weights[row * (Tile + 1) + i * Parts + part] = weight;
            added += weight;
        }
        sum = sum * shrink + of_row(added, Sum());
        largest = top;
        __syncthreads();
        load_rows(theirs, v + sizes.key(batch, key_head, 0), static_cast<i64>(key_heads) * dims, start, keys, dims);
        __syncthreads();
        for (int i = 0; i * Parts + part < dims; i++) {
            float value = sums[i] * shrink;
            for (int key = 0; key < Tile; key++)
                value = fmaf(weights[row * (Tile + 1) + key], theirs[key * Row + i * Parts + part], value);
            sums[i] = value;
        }
    }
    if (query >= queries)
        return;
    for (int i = 0; i * Parts + part < dims; i++)
        y[sizes.query(batch, head, query) + i * Parts + part] = sums[i] / sum;
    if (log_sums && part == 0)
        log_sums[(static_cast<i64>(batch) * heads + head) * queries + query] = largest + logf(sum);
}

/// y · ∂y of each query: what the derivative of softmax takes off. A thread has a query.
extern "C" __global__ void attention_shifts(const float* y, const float* grad_y, float* shifts, i64 rows, int queries, int heads, int dims) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= rows)
        return;
    const i64 query = i % queries, head = i / queries % heads, batch = i / queries / heads;
    const i64 at = ((batch * queries + query) * heads + head) * dims;
    shifts[i] = dot(y + at, grad_y + at, dims);
}

extern "C" __global__ void attention_grad_q(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_q,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    const Sizes sizes = {queries, keys, heads, key_heads, dims, causal, scale};
    float* shared = dynamic_shared<float>();
    float *mine = shared, *given = mine + Tile * Row, *rows_k = given + Tile * Row, *rows_v = rows_k + Tile * Row, *grads = rows_v + Tile * Row;
    const int batch = blockIdx.y / heads, head = blockIdx.y % heads, key_head = head / (heads / key_heads);
    const int first = blockIdx.x * Tile, row = threadIdx.x / Parts, part = threadIdx.x % Parts, query = first + row;
    const i64 step = static_cast<i64>(heads) * dims, key_step = static_cast<i64>(key_heads) * dims;
    load_rows(mine, q + sizes.query(batch, head, 0), step, first, queries, dims);
    load_rows(given, grad_y + sizes.query(batch, head, 0), step, first, queries, dims);
    const int last = first + Tile < queries ? first + Tile : queries, end = sizes.seen(last - 1);
    const int seen = query < queries ? sizes.seen(query) : 0;
    const i64 at = (static_cast<i64>(batch) * heads + head) * queries + query;
    const float log_sum = query < queries ? log_sums[at] : 0, shift = query < queries ? shifts[at] : 0;
    float sums[MostOfPart];
    for (int i = 0; i < MostOfPart; i++)
        sums[i] = 0;
    for (int start = 0; start < end; start += Tile) {
        __syncthreads();
        load_rows(rows_k, k + sizes.key(batch, key_head, 0), key_step, start, keys, dims);
        load_rows(rows_v, v + sizes.key(batch, key_head, 0), key_step, start, keys, dims);
        __syncthreads();
        for (int i = 0; i < Tile / Parts; i++) {
            const int key = i * Parts + part;
            float grad = 0;
            if (start + key < seen) {
                const float weight = expf(dot(mine + row * Row, rows_k + key * Row, dims) * scale - log_sum);
                grad = weight * (dot(given + row * Row, rows_v + key * Row, dims) - shift) * scale;
            }
            grads[row * (Tile + 1) + key] = grad;
        }
        __syncthreads();
        for (int i = 0; i * Parts + part < dims; i++) {
            for (int key = 0; key < Tile; key++)
                sums[i] = fmaf(grads[row * (Tile + 1) + key], rows_k[key * Row + i * Parts + part], sums[i]);
        }
    }
    if (query >= queries)
        return;
    for (int i = 0; i * Parts + part < dims; i++)
        grad_q[sizes.query(batch, head, query) + i * Parts + part] = sums[i];
}

extern "C" __global__ void attention_grad_kv(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_k, float* grad_v,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    const Sizes sizes = {queries, keys, heads, key_heads, dims, causal, scale};
    float* shared = dynamic_shared<float>();
    float *mine_k = shared, *mine_v = mine_k + Tile * Row, *rows_q = mine_v + Tile * Row, *given = rows_q + Tile * Row;
    float *weights = given + Tile * Row, *grads = weights + Tile * (Tile + 1);         // [key, query]
    const int batch = blockIdx.y / key_heads, key_head = blockIdx.y % key_heads, group = heads / key_heads;
    const int first = blockIdx.x * Tile, row = threadIdx.x / Parts, part = threadIdx.x % Parts, key = first + row;
    const i64 step = static_cast<i64>(heads) * dims, key_step = static_cast<i64>(key_heads) * dims;
    load_rows(mine_k, k + sizes.key(batch, key_head, 0), key_step, first, keys, dims);
    load_rows(mine_v, v + sizes.key(batch, key_head, 0), key_step, first, keys, dims);
    float sums_k[MostOfPart], sums_v[MostOfPart];
    for (int i = 0; i < MostOfPart; i++)
        sums_k[i] = sums_v[i] = 0;
    // The first query that sees the tile's first key.
    const int skipped = causal && first > keys - queries ? first - (keys - queries) : 0;
    for (int head = key_head * group; head < (key_head + 1) * group; head++) {
        const i64 at = (static_cast<i64>(batch) * heads + head) * queries;
        for (int start = skipped / Tile * Tile; start < queries; start += Tile) {
            __syncthreads();
            load_rows(rows_q, q + sizes.query(batch, head, 0), step, start, queries, dims);
            load_rows(given, grad_y + sizes.query(batch, head, 0), step, start, queries, dims);
            __syncthreads();
            for (int i = 0; i < Tile / Parts; i++) {
                const int column = i * Parts + part, query = start + column;
                float weight = 0, grad = 0;
                if (query < queries && key < sizes.seen(query)) {
                    weight = expf(dot(rows_q + column * Row, mine_k + row * Row, dims) * scale - log_sums[at + query]);
                    grad = weight * (dot(given + column * Row, mine_v + row * Row, dims) - shifts[at + query]) * scale;
                }
                weights[row * (Tile + 1) + column] = weight;
                grads[row * (Tile + 1) + column] = grad;
            }
            __syncthreads();
            for (int i = 0; i * Parts + part < dims; i++) {
                const int d = i * Parts + part;
                for (int column = 0; column < Tile; column++) {
                    sums_k[i] = fmaf(grads[row * (Tile + 1) + column], rows_q[column * Row + d], sums_k[i]);
                    sums_v[i] = fmaf(weights[row * (Tile + 1) + column], given[column * Row + d], sums_v[i]);
                }
            }
        }
    }
    if (key >= keys)
        return;
    for (int i = 0; i * Parts + part < dims; i++) {
        const i64 target = sizes.key(batch, key_head, key) + i * Parts + part;
        if (grad_k)
            grad_k[target] = sums_k[i];
        if (grad_v)
            grad_v[target] = sums_v[i];
    }
}
