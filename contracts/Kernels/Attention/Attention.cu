// Softmax attention without its weights in memory, and its backward (README.md), on the tensor cores with each number split in two (product.cuh).
//
// A warp has 16 or 32 rows and all columns of a tile: scores stay in its registers, where they become weights, and go from there into the next product
// as its first factor. Forward and the gradient of q go along the keys that a tile of queries sees; the gradients of k and v along the queries that see
// a tile of keys, of all heads that read it, in order: no sum is shared between blocks. Scores are in base 2. Heads are 64 or 128 wide in here, filled
// up with zeros; work on what was filled up is left out in pieces of 8 or 32.
#include "product.cuh"

using namespace zoo;

constexpr int Threads = 128;
constexpr int Piece = 4;               // fragments of columns that are multiplied together
constexpr int PieceColumns = 8 * Piece;

/// Sizes of the call, and where rows lie.
struct Sizes {
    int queries, keys, heads, key_heads, dims, causal;
    float scale;

    __device__ i64 query(int batch, int head, int row) const { return ((static_cast<i64>(batch) * queries + row) * heads + head) * dims; }
    __device__ i64 key(int batch, int head, int row) const { return ((static_cast<i64>(batch) * keys + row) * key_heads + head) * dims; }
    __device__ i64 query_step() const { return static_cast<i64>(heads) * dims; }
    __device__ i64 key_step() const { return static_cast<i64>(key_heads) * dims; }
    __device__ int seen(int row) const { return row >= queries ? 0 : causal ? keys - queries + row + 1 : keys; }

    /// How many keys the rows before `end` see.
    __device__ int seen_before(int end) const { return seen(min(end, queries) - 1); }
};

/// Distance of rows in shared memory.
template <int Dims> constexpr int Stride = Dims + 4;

/// Asks for rows of an array; rows from `count` on, and dimensions that there are not, are zero.
template <int Dims, int Rows> __device__ void copy_rows(float* shared, const float* source, i64 step, int count, int dims) {
    constexpr int Pieces = Dims / 4;
    const bool wide = (reinterpret_cast<u64>(source) | static_cast<u64>(step | dims) * sizeof(float)) % 16 == 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < Rows * Pieces; i += Threads) {
        const int row = i / Pieces, d = i % Pieces * 4, valid = row < count ? min(4, max(0, dims - d)) : 0;
        const float* from = valid > 0 ? source + row * step + d : source;
        float* to = shared + row * Stride<Dims> + d;
        if (wide) {
            copy_async_16(to, from, 4 * valid);
        } else {
#pragma unroll
            for (int e = 0; e < 4; e++)
                copy_async_4(to + e, e < valid ? from + e : source, e < valid);
        }
    }
}

template <int M, int N> __device__ __forceinline__ void clear(float (&sums)[M][N][4]) {
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++)
                sums[m][n][i] = 0;
        }
    }
}

/// sums = rows · columns over the dimensions, of the first `needed` columns; `Together` multiplications of the tensor cores between two additions in float32.
template <int Dims, int Together, int M, int N>
__device__ __forceinline__ void dots(float (&sums)[M][N][4], const float* rows, const float* columns, int dims, int needed) {
    clear(sums);
#pragma unroll 1
    for (int d = 0; d < dims; d += Together * ProductStep) {
        LeftFragment a[M][Together];
#pragma unroll
        for (int m = 0; m < M; m++) {
#pragma unroll
            for (int s = 0; s < Together; s++)
                a[m][s].template load<true>(rows + m * 16 * Stride<Dims> + d + s * ProductStep, Stride<Dims>);
        }
#pragma unroll
        for (int n = 0; n < N; n += Piece) {
            if (8 * n < needed) {
                RightFragment b[Together][Piece];
#pragma unroll
                for (int s = 0; s < Together; s++)
                    RightFragment::load<true>(b[s], columns + n * 8 * Stride<Dims> + d + s * ProductStep, Stride<Dims>);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    float parts[Piece][4];
                    multiply_alone<false>(parts, a[m], b);
                    add(sums[m] + n, parts);
                }
            }
        }
    }
}

/// sums += weights · rows over the first `needed` rows, for all dimensions.
template <int Dims, int Together, int M, int N>
__device__ __forceinline__ void add_rows(float (&sums)[M][Dims / 8][4], const float (&weights)[M][N][4], const float* rows, int dims, int needed) {
#pragma unroll
    for (int n = 0; n < N; n += Together) {
        if (8 * n < needed) {
            LeftFragment a[M][Together];
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int s = 0; s < Together; s++)
                    a[m][s].of_sums(weights[m][n + s]);
            }
#pragma unroll
            for (int d = 0; d < Dims; d += PieceColumns) {
                if (d < dims) {
                    RightFragment b[Together][Piece];
#pragma unroll
                    for (int s = 0; s < Together; s++)
                        RightFragment::load_pairs(b[s], rows + (n + s) * 8 * Stride<Dims> + d, Stride<Dims>);
#pragma unroll
                    for (int m = 0; m < M; m++) {
                        float parts[Piece][4];
                        multiply_alone<false>(parts, a[m], b);
                        add(sums[m] + d / 8, parts);
                    }
                }
            }
        }
    }
}

/// Writes a row's part of a lane, times `factor`.
template <int N> __device__ __forceinline__ void store_row(float* to, const float (&sums)[N][4], int half, float factor, int dims) {
    const bool pairs = dims % 2 == 0 && reinterpret_cast<u64>(to) % 8 == 0;
#pragma unroll
    for (int n = 0; n < N; n++) {
        const int d = 8 * n + fragment_column(0);
        const Pair values = {sums[n][2 * half] * factor, sums[n][2 * half + 1] * factor};
        if (pairs && d < dims) {
            *reinterpret_cast<Pair*>(to + d) = values;
        } else {
            if (d < dims)
                to[d] = values.first;
            if (d + 1 < dims)
                to[d + 1] = values.second;
        }
    }
}

/// Over the four lanes of a row.
template <class F> __device__ __forceinline__ float of_row(float value, F combine) {
    value = combine(value, __shfl_xor_sync(WholeWarp, value, 1));
    return combine(value, __shfl_xor_sync(WholeWarp, value, 2));
}

/// Keys and values of a tile have one place each: values come while scores are reckoned, the next keys while values are added up.
template <int Dims, int M, int Keys, int Together>
__device__ void forward(const float* q, const float* k, const float* v, float* y, float* log_sums, const Sizes& sizes) {
    constexpr int Queries = Threads / WarpSize * 16 * M, N = Keys / 8;
    float* const shared = dynamic_shared<float>();
    float *const tile_q = shared, *const tile_k = tile_q + Queries * Stride<Dims>, *const tile_v = tile_k + Keys * Stride<Dims>;
    const int batch = blockIdx.y / sizes.heads, head = blockIdx.y % sizes.heads, key_head = head / (sizes.heads / sizes.key_heads);
    const int first = (gridDim.x - 1 - blockIdx.x) * Queries;            // those that see most begin
    const int own = threadIdx.x / WarpSize * 16 * M, row = first + own + fragment_row(0);
    const int end = sizes.seen_before(first + Queries), own_end = first + own < sizes.queries ? sizes.seen_before(first + own + 16 * M) : 0;
    const int all_see = first + own + 16 * M <= sizes.queries ? sizes.seen(first + own) : 0;
    const float factor = sizes.scale * Log2E;
    k += sizes.key(batch, key_head, 0);
    v += sizes.key(batch, key_head, 0);
    float values[M][Dims / 8][4], largest[M][2], sum[M][2];
    clear(values);
#pragma unroll
    for (int m = 0; m < M; m++)
        largest[m][0] = largest[m][1] = -infinity(), sum[m][0] = sum[m][1] = 0;
    copy_rows<Dims, Queries>(tile_q, q + sizes.query(batch, head, first), sizes.query_step(), sizes.queries - first, sizes.dims);
    copy_rows<Dims, Keys>(tile_k, k, sizes.key_step(), sizes.keys, sizes.dims);
    copy_commit();
    for (int start = 0; start < end; start += Keys) {
        copy_wait<0>();
        __syncthreads();
        copy_rows<Dims, Keys>(tile_v, v + start * sizes.key_step(), sizes.key_step(), sizes.keys - start, sizes.dims);
        copy_commit();
        float scores[M][N][4];
        if (start < own_end) {
            dots<Dims, Together>(scores, tile_q + own * Stride<Dims>, tile_k, sizes.dims, own_end - start);
#pragma unroll
            for (int m = 0; m < M; m++) {
#pragma unroll
                for (int half = 0; half < 2; half++) {
                    const int left = start + Keys <= all_see ? Keys : sizes.seen(row + 16 * m + 8 * half) - start;
                    float top = largest[m][half], added = 0;
#pragma unroll
                    for (int n = 0; n < N; n++) {
#pragma unroll
                        for (int i = 0; i < 2; i++) {
                            float& score = scores[m][n][2 * half + i];
                            score = 8 * n + fragment_column(i) < left ? score * factor : -infinity();
                            top = max_or_nan(top, score);
                        }
                    }
                    top = of_row(top, Maximum());
                    const float base = top == -infinity() ? 0 : top, shrink = fast_exp2(largest[m][half] - base);
#pragma unroll
                    for (int n = 0; n < N; n++) {
#pragma unroll
                        for (int i = 0; i < 2; i++) {
                            float& score = scores[m][n][2 * half + i];
                            score = fast_exp2(score - base);
                            added += score;
                        }
                    }
                    largest[m][half] = top;
                    sum[m][half] = sum[m][half] * shrink + added;    // of this lane's columns alone
#pragma unroll
                    for (int d = 0; d < Dims / 8; d++) {
#pragma unroll
                        for (int i = 0; i < 2; i++)
                            values[m][d][2 * half + i] *= shrink;
                    }
                }
            }
        }
        copy_wait<0>();
        __syncthreads();
        if (start + Keys < end)
            copy_rows<Dims, Keys>(tile_k, k + (start + Keys) * sizes.key_step(), sizes.key_step(), sizes.keys - start - Keys, sizes.dims);
        copy_commit();
        if (start < own_end)
            add_rows<Dims, Together>(values, scores, tile_v, sizes.dims, own_end - start);
    }
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int query = row + 16 * m + 8 * half;
            const float all = of_row(sum[m][half], Sum());
            if (query >= sizes.queries)
                continue;
            store_row(y + sizes.query(batch, head, query), values[m], half, 1 / all, sizes.dims);
            if (log_sums && lane() % 4 == 0)
                log_sums[(static_cast<i64>(batch) * sizes.heads + head) * sizes.queries + query] = largest[m][half] + log2f(all);
        }
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 2) attention_forward_64(
    const float* q, const float* k, const float* v, float* y, float* log_sums,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    forward<64, 2, 32, 2>(q, k, v, y, log_sums, {queries, keys, heads, key_heads, dims, causal, scale});
}

extern "C" __global__ void __launch_bounds__(Threads, 2) attention_forward_128(
    const float* q, const float* k, const float* v, float* y, float* log_sums,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    forward<128, 1, 64, 2>(q, k, v, y, log_sums, {queries, keys, heads, key_heads, dims, causal, scale});
}

/// y · ∂y of each query: what the derivative of softmax takes off. Eight lanes have a query.
extern "C" __global__ void __launch_bounds__(Threads) attention_shifts(
    const float* y, const float* grad_y, float* shifts, i64 rows, int queries, int heads, int dims) {
    const i64 i = (static_cast<i64>(blockIdx.x) * Threads + threadIdx.x) / 8;
    const int part = threadIdx.x % 8;
    const i64 row = i < rows ? i : rows - 1, query = row % queries, head = row / queries % heads, batch = row / queries / heads;
    const i64 at = ((batch * queries + query) * heads + head) * dims;
    float sum = 0;
    for (int d = part; d < dims; d += 8)
        sum = fmaf(y[at + d], grad_y[at + d], sum);
#pragma unroll
    for (int distance = 4; distance > 0; distance /= 2)
        sum += __shfl_xor_sync(WholeWarp, sum, distance);
    if (part == 0 && i < rows)
        shifts[i] = sum;
}

/// A warp has 16 queries.
template <int Dims, int Keys, int Together>
__device__ void gradient_of_q(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_q, const Sizes& sizes) {
    constexpr int Queries = Threads / WarpSize * 16, N = Keys / 8;
    float* const shared = dynamic_shared<float>();
    float *const tile_q = shared, *const given = tile_q + Queries * Stride<Dims>;
    float *const tile_k = given + Queries * Stride<Dims>, *const tile_v = tile_k + Keys * Stride<Dims>;
    const int batch = blockIdx.y / sizes.heads, head = blockIdx.y % sizes.heads, key_head = head / (sizes.heads / sizes.key_heads);
    const int first = (gridDim.x - 1 - blockIdx.x) * Queries, own = threadIdx.x / WarpSize * 16, row = first + own + fragment_row(0);
    const int end = sizes.seen_before(first + Queries), own_end = first + own < sizes.queries ? sizes.seen_before(first + own + 16) : 0;
    const float factor = sizes.scale * Log2E;
    const i64 at = (static_cast<i64>(batch) * sizes.heads + head) * sizes.queries;
    float log_sum[2], shift[2];
    int seen[2];
#pragma unroll
    for (int half = 0; half < 2; half++) {
        const int query = row + 8 * half;
        const bool inside = query < sizes.queries;
        log_sum[half] = inside ? log_sums[at + query] : 0;
        shift[half] = inside ? shifts[at + query] : 0;
        seen[half] = sizes.seen(query);
    }
    float grads[1][Dims / 8][4];
    clear(grads);
    k += sizes.key(batch, key_head, 0);
    v += sizes.key(batch, key_head, 0);
    copy_rows<Dims, Queries>(tile_q, q + sizes.query(batch, head, first), sizes.query_step(), sizes.queries - first, sizes.dims);
    copy_rows<Dims, Queries>(given, grad_y + sizes.query(batch, head, first), sizes.query_step(), sizes.queries - first, sizes.dims);
    for (int start = 0; start < end; start += Keys) {
        __syncthreads();
        copy_rows<Dims, Keys>(tile_k, k + start * sizes.key_step(), sizes.key_step(), sizes.keys - start, sizes.dims);
        copy_rows<Dims, Keys>(tile_v, v + start * sizes.key_step(), sizes.key_step(), sizes.keys - start, sizes.dims);
        copy_commit();
        copy_wait<0>();
        __syncthreads();
        if (start >= own_end)
            continue;
        float scores[1][N][4], of_weights[1][N][4];
        dots<Dims, Together>(scores, tile_q + own * Stride<Dims>, tile_k, sizes.dims, own_end - start);
        dots<Dims, Together>(of_weights, given + own * Stride<Dims>, tile_v, sizes.dims, own_end - start);
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int half = i / 2;
                const float weight = fast_exp2(fmaf(scores[0][n][i], factor, -log_sum[half]));
                scores[0][n][i] = start + 8 * n + fragment_column(i) < seen[half] ? weight * (of_weights[0][n][i] - shift[half]) : 0;
            }
        }
        add_rows<Dims, Together>(grads, scores, tile_k, sizes.dims, own_end - start);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        if (row + 8 * half < sizes.queries)
            store_row(grad_q + sizes.query(batch, head, row + 8 * half), grads[0], half, sizes.scale, sizes.dims);
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 3) attention_grad_q_64(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_q,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    gradient_of_q<64, 32, 2>(q, k, v, grad_y, log_sums, shifts, grad_q, {queries, keys, heads, key_heads, dims, causal, scale});
}

extern "C" __global__ void __launch_bounds__(Threads, 2) attention_grad_q_128(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_q,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    gradient_of_q<128, 32, 2>(q, k, v, grad_y, log_sums, shifts, grad_q, {queries, keys, heads, key_heads, dims, causal, scale});
}

/// A warp has 16 keys; scores and weights are transposed, keys by queries.
template <int Dims, int Queries, int Together>
__device__ void gradients_of_kv(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_k, float* grad_v,
    const Sizes& sizes) {
    constexpr int Keys = Threads / WarpSize * 16, N = Queries / 8;
    float* const shared = dynamic_shared<float>();
    float *const tile_k = shared, *const tile_v = tile_k + Keys * Stride<Dims>;
    float *const tile_q = tile_v + Keys * Stride<Dims>, *const given = tile_q + Queries * Stride<Dims>;
    const int batch = blockIdx.y / sizes.key_heads, key_head = blockIdx.y % sizes.key_heads, group = sizes.heads / sizes.key_heads;
    const int first = blockIdx.x * Keys, own = threadIdx.x / WarpSize * 16, row = first + own + fragment_row(0);
    const float factor = sizes.scale * Log2E;
    float of_k[1][Dims / 8][4], of_v[1][Dims / 8][4];
    clear(of_k);
    clear(of_v);
    copy_rows<Dims, Keys>(tile_k, k + sizes.key(batch, key_head, first), sizes.key_step(), sizes.keys - first, sizes.dims);
    copy_rows<Dims, Keys>(tile_v, v + sizes.key(batch, key_head, first), sizes.key_step(), sizes.keys - first, sizes.dims);
    // The first query that sees the tile's first key.
    const int skipped = sizes.causal ? max(0, first - (sizes.keys - sizes.queries)) : 0;
    for (int head = key_head * group; head < (key_head + 1) * group; head++) {
        const i64 at = (static_cast<i64>(batch) * sizes.heads + head) * sizes.queries;
        for (int start = skipped / 8 * 8; start < sizes.queries; start += Queries) {
            __syncthreads();
            copy_rows<Dims, Queries>(tile_q, q + sizes.query(batch, head, start), sizes.query_step(), sizes.queries - start, sizes.dims);
            copy_rows<Dims, Queries>(given, grad_y + sizes.query(batch, head, start), sizes.query_step(), sizes.queries - start, sizes.dims);
            copy_commit();
            copy_wait<0>();
            __syncthreads();
            const int count = min(Queries, sizes.queries - start);
            if (first + own >= sizes.seen_before(start + count))
                continue;
            float weights[1][N][4], grads[1][N][4];
            dots<Dims, Together>(weights, tile_k + own * Stride<Dims>, tile_q, sizes.dims, count);
            dots<Dims, Together>(grads, tile_v + own * Stride<Dims>, given, sizes.dims, count);
#pragma unroll
            for (int n = 0; n < N; n++) {
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    const int query = start + 8 * n + fragment_column(j), seen = sizes.seen(query);
                    const bool inside = query < sizes.queries;
                    const float log_sum = inside ? log_sums[at + query] : 0, shift = inside ? shifts[at + query] : 0;
#pragma unroll
                    for (int half = 0; half < 2; half++) {
                        float &weight = weights[0][n][2 * half + j], &grad = grads[0][n][2 * half + j];
                        const bool sees = row + 8 * half < seen;
                        weight = sees ? fast_exp2(fmaf(weight, factor, -log_sum)) : 0;
                        grad = sees ? weight * (grad - shift) : 0;
                    }
                }
            }
            add_rows<Dims, Together>(of_v, weights, given, sizes.dims, count);
            add_rows<Dims, Together>(of_k, grads, tile_q, sizes.dims, count);
        }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        if (row + 8 * half >= sizes.keys)
            continue;
        const i64 to = sizes.key(batch, key_head, row + 8 * half);
        if (grad_k)
            store_row(grad_k + to, of_k[0], half, sizes.scale, sizes.dims);
        if (grad_v)
            store_row(grad_v + to, of_v[0], half, 1, sizes.dims);
    }
}

extern "C" __global__ void __launch_bounds__(Threads, 3) attention_grad_kv_64(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_k, float* grad_v,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    gradients_of_kv<64, 32, 1>(q, k, v, grad_y, log_sums, shifts, grad_k, grad_v, {queries, keys, heads, key_heads, dims, causal, scale});
}

extern "C" __global__ void __launch_bounds__(Threads, 2) attention_grad_kv_128(
    const float* q, const float* k, const float* v, const float* grad_y, const float* log_sums, const float* shifts, float* grad_k, float* grad_v,
    int queries, int keys, int heads, int key_heads, int dims, int causal, float scale) {
    gradients_of_kv<128, 32, 1>(q, k, v, grad_y, log_sums, shifts, grad_k, grad_v, {queries, keys, heads, key_heads, dims, causal, scale});
}
