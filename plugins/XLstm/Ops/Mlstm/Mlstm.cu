// mlstm, chunkwise, its backward and its step (README.md has the maths). Chunks of at most 64 steps are reckoned beside each other; from one to the next goes
// only the state:
//
//   gates     what weighs what, and m: every chunk's sums first, then what has gone before
//   outer     what each chunk adds to the state: Σ_t weight_t x_t y_tᵀ
//   carry     the states before the chunks, in their order: one thread a number
//   scores    P of each chunk, and the denominators
//   apply     h = (P v + s C q) / denominator
//
// The backward is made of the same parts: `outer` and `carry`, from the last chunk to the first, give the gradients of the states; `grad_scores` makes P and its
// gradient; three `apply` are the gradients of q, k and v; `grad_gates` goes back through the gates. All products are tiles on tensor cores.
#include "zoo.cuh"
#include "Tiles.cuh"

using namespace zoo;

constexpr int Steps = tiles::Size;      // of a chunk at most
constexpr int Threads = 256;
constexpr int Warps = Threads / WarpSize;

constexpr float LowestLogForget = -1e6f;    // below, the state is gone all the same
constexpr double LowestState = -1e30;       // an m of -∞ and an input gate of -∞ are numbers, the gate the smaller one
constexpr double LowestInput = -2e30;
constexpr double Nothing = -1e300;
constexpr float LargestFloor = 80;          // e^80 in a denominator is as good as ∞, and does not make NaN of 0

/// What the gates give for each step, [which, sequence, time]; a_j and M_t are pairs of float32. The keys' weights have 1/√D in them.
enum Gate { InputHigh, InputLow, RowHigh, RowLow, StateWeight, KeyWeight, Least, FromInput };

/// What the backward of the division gives for each step, likewise: 1/denominator, ∂(q n), weights of ∂h and of 1 in the gradient of the state, ∂ of the
/// row's scale, ∂m.
enum Division { Inverse, OfProduct, QueryWeight, NormWeight, OfRow, OfMaximum };

/// Sizes of the time that a launch goes over, and a block's place in it.
struct Chunks {
    i64 all;                // steps of all sequences: from one gate's numbers to the next one's
    int length, steps;      // from sequence to sequence, and how many from here on
    int keys, values, chunk, count;

    __device__ i64 state_size() const { return static_cast<i64>(keys) * values + keys; }
    __device__ i64 step(int sequence, int chunk_number) const { return static_cast<i64>(sequence) * length + chunk_number * chunk; }
    __device__ int steps_of(int chunk_number) const { return min(chunk, steps - chunk_number * chunk); }
    __device__ i64 state(int sequence, int chunk_number) const { return (static_cast<i64>(sequence) * count + chunk_number) * state_size(); }
    __device__ i64 scores(int sequence, int chunk_number) const { return (static_cast<i64>(sequence) * count + chunk_number) * (Steps * Steps); }
};

/// The larger one; NaN where either is.
struct Larger {
    __device__ double operator()(double a, double b) const { return a > b || a != a ? a : b; }
};

/// m after a chunk whose logarithms of forget gates are `sum` together and whose largest a_j is `top`.
__device__ double next_maximum(double before, double sum, double top) { return sum + Larger()(Larger()(before, LowestState), top); }

__device__ float log_forget(float forget) {
    return max_or_nan(-softplus(max_or_nan(-forget, LowestLogForget)), LowestLogForget);
}

/// A block has a sequence, and its warps a chunk each at a time; a lane two steps. Sums and differences of gates are in float64.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_gates(
    const float* input, const float* forget, const float* m0, float* gates, float* decays, float* last, float key_scale, i64 all, int length, int chunk,
    int chunks) {
    __shared__ double sums[Warps], tops[Warps];
    const int sequence = blockIdx.x;
    const i64 steps = static_cast<i64>(sequence) * length;
    double m = m0 ? m0[sequence] : 0;
    for (int first = 0; first < chunks; first += Warps) {
        const int own = first + warp(), start = own * chunk, count = own < chunks ? min(chunk, length - start) : 0;
        double sum[2], a[2];
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int t = 2 * lane() + j;
            sum[j] = t < count ? log_forget(forget[steps + start + t]) : 0;
            a[j] = t < count ? Larger()(input[steps + start + t], LowestInput) : Nothing;
        }
        const double both = sum[0] + sum[1], to_here = warp_scan(both, Sum());
        sum[0] += to_here - both;
        sum[1] = to_here;
        a[0] -= 2 * lane() < count ? sum[0] : 0;
        a[1] -= 2 * lane() + 1 < count ? sum[1] : 0;
        const double top = warp_scan(Larger()(a[0], a[1]), Larger()), above = __shfl_up_sync(WholeWarp, top, 1);
        const double top_before = lane() == 0 ? Nothing : above;
        if (lane() == WarpSize - 1) {
            sums[warp()] = to_here;
            tops[warp()] = top;
        }
        __syncthreads();
        double before = m;
        for (int w = 0; w < warp() && first + w < chunks; w++)
            before = next_maximum(before, sums[w], tops[w]);
        before = Larger()(before, LowestState);
        const double last_row = Larger()(before, tops[warp()]);
        double row = Larger()(before, top_before);
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const int t = 2 * lane() + j;
            if (t >= count)
                continue;
            float* const to = gates + steps + start + t;
            to[FromInput * all] = a[j] >= row ? 1 : 0;
            row = Larger()(row, a[j]);
            const float input_high = static_cast<float>(a[j]), row_high = static_cast<float>(row);
            to[InputHigh * all] = input_high;
            to[InputLow * all] = static_cast<float>(a[j] - input_high);
            to[RowHigh * all] = row_high;
            to[RowLow * all] = static_cast<float>(row - row_high);
            to[StateWeight * all] = expf(static_cast<float>(before - row));
            to[KeyWeight * all] = key_scale * expf(static_cast<float>(a[j] - last_row));
            to[Least * all] = expf(min_or_nan(LargestFloor, static_cast<float>(-(sum[j] + row))));
        }
        if (own < chunks && lane() == 0)
            decays[static_cast<i64>(sequence) * chunks + own] = expf(static_cast<float>(before - last_row));
        for (int w = 0; w < Warps && first + w < chunks; w++)
            m = next_maximum(m, sums[w], tops[w]);
        __syncthreads();
    }
    if (last && threadIdx.x == 0)
        last[sequence] = static_cast<float>(m);
}

/// Of each chunk Σ_t weight_t x_t y_tᵀ, [keys, values], and behind it Σ_t norm_weight_t x_t: block (chunk, tile, sequence).
extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_outer(
    const float* x, const float* y, const float* weights, const float* norm_weights, float* states, i64 all, int length, int steps, int keys, int values, int chunk,
    int count) {
    __shared__ __align__(16) float xs[tiles::Floats], ys[tiles::Floats];
    const Chunks chunks = {all, length, steps, keys, values, chunk, count};
    const int own = blockIdx.x, across = (values + tiles::Size - 1) / tiles::Size, sequence = blockIdx.z, real = chunks.steps_of(own);
    const int first_key = blockIdx.y / across * tiles::Size, first_value = blockIdx.y % across * tiles::Size;
    const int rows = min(tiles::Size, keys - first_key), columns = min(tiles::Size, values - first_value);
    const i64 start = chunks.step(sequence, own);
    tiles::load(xs, x + start * keys + first_key, keys, real, rows);
    tiles::load(ys, y + start * values + first_value, values, real, columns);
    tiles::arrive();
    for (int i = threadIdx.x; i < real * tiles::Size; i += tiles::Threads)
        ys[i / tiles::Size * tiles::Row + i % tiles::Size] *= weights[start + i / tiles::Size];
    __syncthreads();
    tiles::Product product;
    product.add<true, false>(xs, ys, 0, tiles::whole(real), rows, columns);
    float* const to = states + chunks.state(sequence, own);
    product.each([&](int row, int column, float sum) {
        if (row < rows && column < columns)
            to[static_cast<i64>(first_key + row) * values + first_value + column] = sum;
    });
    if (first_value == 0 && threadIdx.x < rows) {
        float sum = 0;
        for (int t = 0; t < real; t++)
            sum = fmaf(norm_weights[start + t], xs[t * tiles::Row + threadIdx.x], sum);
        to[static_cast<i64>(keys) * values + first_key + threadIdx.x] = sum;
    }
}

/// states[chunk] becomes what is carried to that chunk, decay · carried + states[chunk] goes on; from the last one to the first where `backwards`. Block (numbers of a
/// state, sequence). c and n are carried to the first chunk, zero where null; c_after and n_after come out.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_carry(
    float* states, const float* decays, const float* c, const float* n, float* c_after, float* n_after, int decay_step, int backwards, int keys, int values, int count) {
    constexpr int Ahead = 8;        // loads on the way at once
    const i64 matrix = static_cast<i64>(keys) * values, size = matrix + keys, i = static_cast<i64>(blockIdx.x) * Threads + threadIdx.x;
    const int sequence = blockIdx.y;
    if (i >= size)
        return;
    const bool of_matrix = i < matrix;
    const i64 at = of_matrix ? sequence * matrix + i : static_cast<i64>(sequence) * keys + i - matrix;
    const float* from = of_matrix ? c : n;
    float carried = from ? from[at] : 0;
    states += static_cast<i64>(sequence) * count * size + i;
    decays += static_cast<i64>(sequence) * decay_step;
    for (int first = 0; first < count; first += Ahead) {
        float own[Ahead];
#pragma unroll
        for (int k = 0; k < Ahead; k++) {
            const int chunk = backwards ? count - 1 - first - k : first + k;
            own[k] = first + k < count ? states[chunk * size] : 0;
        }
#pragma unroll
        for (int k = 0; k < Ahead; k++) {
            const int chunk = backwards ? count - 1 - first - k : first + k;
            if (first + k < count) {
                states[chunk * size] = carried;
                carried = fmaf(decays[chunk], carried, own[k]);
            }
        }
    }
    (of_matrix ? c_after : n_after)[at] = carried;
}

/// exp(a_j - M_t) for steps of a chunk that begins at `gates`.
__device__ __forceinline__ float weight(const float* gates, i64 all, int t, int j) {
    return expf(gates[InputHigh * all + j] - gates[RowHigh * all + t] + (gates[InputLow * all + j] - gates[RowLow * all + t]));
}

/// Whether this warp's part of a chunk's scores reaches below the diagonal.
__device__ __forceinline__ bool reaches_below() { return tiles::Product::first_column() <= tiles::Product::first_row(); }

/// P of each chunk, [64, 64], zero above the diagonal; q n where it is larger than exp(-m), 0 elsewhere; the denominators. Block (chunk, 1, sequence).
extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_scores(
    const float* q, const float* k, const float* gates, const float* states, float* scores, float* denominators, float* products, float key_scale, float epsilon,
    i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    __shared__ __align__(16) float qs[tiles::Floats], ks[tiles::Floats];
    const Chunks chunks = {all, length, steps, keys, values, chunk, count};
    const int own = blockIdx.x, sequence = blockIdx.z, real = chunks.steps_of(own), t = threadIdx.x / 2, half = threadIdx.x % 2;
    const i64 start = chunks.step(sequence, own);
    const float* const norm = states + chunks.state(sequence, own) + static_cast<i64>(keys) * values;
    gates += start;
    tiles::Product product;
    float with_norm = 0;
    for (int first = 0; first < keys; first += tiles::Size) {
        const int columns = min(tiles::Size, keys - first);
        tiles::load(qs, q + start * keys + first, keys, real, columns);
        tiles::load(ks, k + start * keys + first, keys, real, columns);
        tiles::arrive();
        if (reaches_below())
            product.add<false, true>(qs, ks, 0, tiles::whole(columns), real, real);
        for (int d = half; d < columns; d += 2)
            with_norm = fmaf(qs[t * tiles::Row + d], norm[first + d], with_norm);
        __syncthreads();
    }
    product.each([&](int row, int column, float sum) {
        qs[row * tiles::Row + column] = column <= row && row < real ? sum * key_scale * weight(gates, all, row, column) : 0;
    });
    __syncthreads();
    float sum = 0;
    for (int j = half; j < tiles::Size; j += 2)
        sum += qs[t * tiles::Row + j];
    sum += __shfl_xor_sync(WholeWarp, sum, 1);
    with_norm += __shfl_xor_sync(WholeWarp, with_norm, 1);
    if (t < real && half == 0) {
        const float whole = fmaf(gates[StateWeight * all + t], with_norm, sum), least = gates[Least * all + t];
        const bool is_free = fabsf(whole) > least;
        denominators[start + t] = (is_free ? fabsf(whole) : least) + epsilon;
        products[start + t] = is_free ? whole : 0;
    }
    tiles::store(qs, scores + chunks.scores(sequence, own));
}

/// What a product with a state and one with a chunk's scores need.
struct Applied {
    const float *x, *states, *row_weights, *norm_weights, *scores, *z;
    const float *keys, *denominators;       // null: see below
    float *target, *inner;
};

/// target_t = weight_t · (x_t S) [+ norm_weight_t · norm] + Σ_j scores z_j, each for a tile of 64 columns: block (chunk, tile, sequence). S is the state, or that
/// transposed; scores likewise, where the sum goes over the later steps. With `keys`, `inner` gets the product of the first part with each step's key, [tile, sequence,
/// time]; with `denominators` the target is divided.
template <bool TransposedState, bool TransposedScores> __device__ __forceinline__ void apply(const Applied& given, const Chunks& chunks) {
    __shared__ __align__(16) float left[tiles::Floats], right[tiles::Floats];
    const int inner = TransposedState ? chunks.values : chunks.keys, outer = TransposedState ? chunks.keys : chunks.values;
    const int own = blockIdx.x, sequence = blockIdx.z, real = chunks.steps_of(own), first = blockIdx.y * tiles::Size, columns = min(tiles::Size, outer - first);
    const i64 start = chunks.step(sequence, own);
    const float* const state = given.states + chunks.state(sequence, own);
    tiles::Product product;
    for (int k = 0; k < inner; k += tiles::Size) {
        const int width = min(tiles::Size, inner - k);
        tiles::load(left, given.x + start * inner + k, inner, real, width);
        if (TransposedState)
            tiles::load(right, state + static_cast<i64>(first) * chunks.values + k, chunks.values, columns, width);
        else
            tiles::load(right, state + static_cast<i64>(k) * chunks.values + first, chunks.values, width, columns);
        tiles::arrive();
        product.add<false, TransposedState>(left, right, 0, tiles::whole(width), real, columns);
        __syncthreads();
    }
    const float* const norm = state + static_cast<i64>(chunks.keys) * chunks.values + first;
    product.each([&](int row, int column, float& sum) {
        if (row >= real || column >= columns)
            return;
        sum *= given.row_weights[start + row];
        if (given.norm_weights)
            sum = fmaf(given.norm_weights[start + row], norm[column], sum);
    });
    if (given.keys) {
        tiles::load(right, given.keys + start * outer + first, outer, real, columns);
        product.each([&](int row, int column, float sum) { left[row * tiles::Row + column] = sum; });
        tiles::arrive();
        const int t = threadIdx.x / 2, half = threadIdx.x % 2;
        float sum = 0;
        if (t < real) {
            for (int d = half; d < columns; d += 2)
                sum = fmaf(left[t * tiles::Row + d], right[t * tiles::Row + d], sum);
        }
        sum += __shfl_xor_sync(WholeWarp, sum, 1);
        if (t < real && half == 0)
            given.inner[blockIdx.y * chunks.all + start + t] = sum;
        __syncthreads();
    }
    if (!given.target)
        return;
    tiles::load(left, given.scores + chunks.scores(sequence, own), Steps, Steps, Steps);
    tiles::load(right, given.z + start * outer + first, outer, real, columns);
    tiles::arrive();
    const int from = TransposedScores ? tiles::Product::first_row() : 0;        // scores are zero above the diagonal
    const int to = TransposedScores ? tiles::whole(real) : min(tiles::whole(real), tiles::Product::first_row() + tiles::Part);
    product.add<TransposedScores, false>(left, right, from, to, real, columns);
    product.each([&](int row, int column, float sum) {
        if (row < real && column < columns)
            given.target[(start + row) * outer + first + column] = given.denominators ? sum / given.denominators[start + row] : sum;
    });
}

extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_outputs(
    const float* q, const float* states, const float* state_weights, const float* scores, const float* v, const float* denominators, float* h,
    i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    apply<false, false>({q, states, state_weights, nullptr, scores, v, nullptr, denominators, h, nullptr}, {all, length, steps, keys, values, chunk, count});
}

extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_grad_q(
    const float* grad_h, const float* states, const float* query_weights, const float* norm_weights, const float* grad_scores, const float* k, float* grad_q,
    i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    apply<true, false>(
        {grad_h, states, query_weights, norm_weights, grad_scores, k, nullptr, nullptr, grad_q, nullptr}, {all, length, steps, keys, values, chunk, count});
}

extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_grad_k(
    const float* v, const float* grad_states, const float* key_weights, const float* grad_scores, const float* q, const float* k, float* grad_k, float* inner,
    i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    apply<true, true>(
        {v, grad_states, key_weights, key_weights, grad_scores, q, k, nullptr, grad_k, inner}, {all, length, steps, keys, values, chunk, count});
}

extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_grad_v(
    const float* k, const float* grad_states, const float* key_weights, const float* scores, const float* grad_h, float* grad_v,
    i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    apply<false, true>(
        {k, grad_states, key_weights, nullptr, scores, grad_h, nullptr, nullptr, grad_v, nullptr}, {all, length, steps, keys, values, chunk, count});
}

/// Back through the division, `Division` of each step: a warp has a step.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_division(
    const float* h, const float* grad_h, const float* gates, const float* denominators, const float* products, float* division, float epsilon, i64 all, int values) {
    const i64 step = static_cast<i64>(blockIdx.x) * Warps + warp();
    if (step >= all)
        return;
    float along = 0;
    for (int e = lane(); e < values; e += WarpSize)
        along = fmaf(h[step * values + e], grad_h[step * values + e], along);
    along = warp_sum(along);
    if (lane() != 0)
        return;
    const float inverse = 1 / denominators[step], product = products[step], weight = gates[StateWeight * all + step];
    const float of_product = product == 0 ? 0 : product > 0 ? -along * inverse : along * inverse, left = along * epsilon * inverse;
    division[Inverse * all + step] = inverse;
    division[OfProduct * all + step] = of_product;
    division[QueryWeight * all + step] = weight * inverse;
    division[NormWeight * all + step] = weight * of_product;
    division[OfRow * all + step] = product == 0 ? along : left;
    division[OfMaximum * all + step] = -left;
}

/// P / denominator and the gradient of q k of each chunk, [64, 64], zero above the diagonal; the sums over the steps that saw a key of P ∂P. Block (chunk, 1, sequence).
extern "C" __global__ void __launch_bounds__(tiles::Threads) mlstm_grad_scores(
    const float* q, const float* k, const float* v, const float* grad_h, const float* gates, const float* division, float* scores, float* grad_scores, float* of_input,
    float key_scale, i64 all, int length, int steps, int keys, int values, int chunk, int count) {
    __shared__ __align__(16) float left[tiles::Floats], right[tiles::Floats];
    const Chunks chunks = {all, length, steps, keys, values, chunk, count};
    const int own = blockIdx.x, sequence = blockIdx.z, real = chunks.steps_of(own);
    const i64 start = chunks.step(sequence, own);
    gates += start;
    division += start;
    tiles::Product score, grad;
    const auto multiply = [&](tiles::Product& product, const float* rows, const float* others, int width) {
        for (int first = 0; first < width; first += tiles::Size) {
            const int columns = min(tiles::Size, width - first);
            tiles::load(left, rows + start * width + first, width, real, columns);
            tiles::load(right, others + start * width + first, width, real, columns);
            tiles::arrive();
            if (reaches_below())
                product.add<false, true>(left, right, 0, tiles::whole(columns), real, real);
            __syncthreads();
        }
    };
    multiply(score, q, k, keys);
    multiply(grad, grad_h, v, values);
    score.each(grad, [&](int t, int j, float& product, float& of_product) {
        const bool seen = j <= t && t < real;
        const float weighed = seen ? key_scale * weight(gates, all, t, j) : 0;
        const float inverse = seen ? division[Inverse * all + t] : 0;
        of_product = seen ? weighed * fmaf(of_product, inverse, division[OfProduct * all + t]) : 0;
        left[t * tiles::Row + j] = product * of_product;
        product *= weighed * inverse;
    });
    __syncthreads();
    if (threadIdx.x < real) {
        float sum = 0;
        for (int t = threadIdx.x; t < real; t++)
            sum += left[t * tiles::Row + threadIdx.x];
        of_input[start + threadIdx.x] = sum;
    }
    __syncthreads();
    score.each(grad, [&](int t, int j, float product, float of_product) {
        left[t * tiles::Row + j] = product;
        right[t * tiles::Row + j] = of_product;
    });
    __syncthreads();
    tiles::store(left, scores + chunks.scores(sequence, own));
    tiles::store(right, grad_scores + chunks.scores(sequence, own));
}

/// ⟨∂C, C⟩ + ⟨∂n, n⟩ of the state before each chunk and of the last one: how the loss changes with the scale of all that was written before. Block (chunk, sequence).
extern "C" __global__ void __launch_bounds__(Threads) mlstm_scales(
    const float* states, const float* grad_states, const float* c, const float* n, const float* grad_c0, const float* grad_n0, double* scales,
    int keys, int values, int count) {
    constexpr int Short = 16;       // sums in float32; these in float64
    const int own = blockIdx.x, sequence = blockIdx.y;
    const i64 matrix = static_cast<i64>(keys) * values, size = matrix + keys;
    const float* state = own < count ? states + (static_cast<i64>(sequence) * count + own) * size : c + sequence * matrix;
    const float* grad = own > 0 ? grad_states + (static_cast<i64>(sequence) * count + own - 1) * size : grad_c0 + sequence * matrix;
    const float* state_norm = own < count ? state + matrix : n + static_cast<i64>(sequence) * keys;
    const float* grad_norm = own > 0 ? grad + matrix : grad_n0 + static_cast<i64>(sequence) * keys;
    double total = 0;
    for (i64 first = threadIdx.x; first < matrix; first += Short * Threads) {
        float sum = 0;
        for (i64 i = first; i < first + Short * Threads && i < matrix; i += Threads)
            sum = fmaf(state[i], grad[i], sum);
        total += sum;
    }
    for (int d = threadIdx.x; d < keys; d += Threads)
        total += state_norm[d] * grad_norm[d];
    total = block_sum<Threads>(total);
    if (threadIdx.x == 0)
        scales[static_cast<i64>(sequence) * (count + 1) + own] = total;
}

/// What a stretch of steps does to m's own gradient, which comes from the later ones: adds to it, unless an input gate takes it.
struct Passed {
    double sum;
    int open;

    __device__ static Passed step(float own, bool takes) { return {takes ? 0 : own, !takes}; }
    __device__ double apply(double later) const { return open ? sum + later : sum; }
    __device__ Passed after(Passed later) const { return {apply(later.sum), open & later.open}; }
};

/// ∂i, ∂f and ∂m_0: a block has a sequence, from its last chunks to the first, a warp a chunk at a time and a lane two steps. What crosses a step changes with its forget
/// gate; what is left of m's own gradient goes along the way that the maximum went.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_grad_gates(
    const float* forget, const float* gates, const float* division, const float* of_input, const float* inner, const double* scales, const float* grad_m,
    float* grad_i, float* grad_f, float* grad_m0, int inner_tiles, i64 all, int length, int chunk, int count) {
    __shared__ Passed passed[Warps];
    const int sequence = blockIdx.x;
    const i64 steps = static_cast<i64>(sequence) * length;
    scales += static_cast<i64>(sequence) * (count + 1);
    double of_maximum = (grad_m ? grad_m[sequence] : 0) - scales[count];
    for (int first = count - 1; first >= 0; first -= Warps) {
        const int own = first - warp(), start = own * chunk, real = own >= 0 ? min(chunk, length - start) : 0;
        const i64 at = steps + start + 2 * lane();
        float input[2] = {0, 0}, own_maximum[2] = {0, 0};
        double crossing[2] = {0, 0};
        bool takes[2] = {false, false};
#pragma unroll
        for (int j = 0; j < 2; j++) {
            if (2 * lane() + j >= real)
                continue;
            input[j] = of_input[at + j];
            for (int tile = 0; tile < inner_tiles; tile++)
                input[j] += inner[tile * all + at + j];
            crossing[j] = division[OfRow * all + at + j] - input[j];
            own_maximum[j] = division[OfMaximum * all + at + j];
            takes[j] = gates[FromInput * all + at + j] != 0;
        }
        // From the last lane to this one.
        double beyond = crossing[0] + crossing[1];
        Passed both = Passed::step(own_maximum[0], takes[0]).after(Passed::step(own_maximum[1], takes[1]));
        for (int distance = 1; distance < WarpSize; distance *= 2) {
            const double later_beyond = __shfl_down_sync(WholeWarp, beyond, distance), later_sum = __shfl_down_sync(WholeWarp, both.sum, distance);
            const int later_open = __shfl_down_sync(WholeWarp, both.open, distance);
            if (lane() + distance < WarpSize) {
                beyond += later_beyond;
                both = both.after({later_sum, later_open});
            }
        }
        if (lane() == 0)
            passed[warp()] = both;
        const double later_sum = __shfl_down_sync(WholeWarp, both.sum, 1);
        const int later_open = __shfl_down_sync(WholeWarp, both.open, 1);
        __syncthreads();
        double incoming = of_maximum;
        for (int w = 0; w < warp() && w <= first; w++)
            incoming = passed[w].apply(incoming);
        if (lane() < WarpSize - 1)
            incoming = Passed{later_sum, later_open}.apply(incoming);
        double across = beyond - crossing[0] - crossing[1] + (own >= 0 ? scales[own + 1] : 0);
#pragma unroll
        for (int j = 1; j >= 0; j--) {
            if (2 * lane() + j >= real)
                continue;
            across += crossing[j];
            incoming += own_maximum[j];
            if (grad_i)
                grad_i[at + j] = static_cast<float>(input[j] + (takes[j] ? incoming : 0));
            if (grad_f)
                grad_f[at + j] = static_cast<float>(across + (takes[j] ? 0 : incoming)) / (1 + expf(forget[at + j]));      // d log σ(f) = σ(-f)
            if (takes[j])
                incoming = 0;
        }
        for (int w = 0; w < Warps && w <= first; w++)
            of_maximum = passed[w].apply(of_maximum);
        __syncthreads();
    }
    if (grad_m0 && threadIdx.x == 0)
        grad_m0[sequence] = static_cast<float>(of_maximum + scales[0]);
}

/// One step, block (32 values, sequence): the state is read and written once, and the query meets each row as it passes; a warp has every eighth row.
extern "C" __global__ void __launch_bounds__(Threads) mlstm_step(
    const float* q, const float* k, const float* v, const float* input, const float* forget, const float* c0, const float* n0, const float* m0,
    float* h, float* c, float* n, float* m, float key_scale, float epsilon, int keys, int values) {
    __shared__ float sums[Warps][WarpSize], products[Warps];
    const int sequence = blockIdx.y, e = blockIdx.x * WarpSize + lane();
    const i64 key_row = static_cast<i64>(sequence) * keys, value_row = static_cast<i64>(sequence) * values;
    const double before = m0 ? Larger()(m0[sequence], LowestState) : 0, given = Larger()(input[sequence], LowestInput);
    const double forgotten = before + log_forget(forget[sequence]), after = Larger()(forgotten, given);
    const float decay = expf(static_cast<float>(forgotten - after)), write = key_scale * expf(static_cast<float>(given - after));
    const bool real = e < values;
    const float value = real ? v[value_row + e] : 0;
    float sum = 0, product = 0;
    for (int d = warp(); d < keys; d += Warps) {
        const float key = write * k[key_row + d], query = q[key_row + d], norm = n0 ? fmaf(decay, n0[key_row + d], key) : key;
        product = fmaf(query, norm, product);
        if (blockIdx.x == 0 && lane() == 0)
            n[key_row + d] = norm;
        if (real) {
            const i64 at = (key_row + d) * values + e;
            const float number = c0 ? fmaf(decay, c0[at], key * value) : key * value;
            c[at] = number;
            sum = fmaf(query, number, sum);
        }
    }
    sums[warp()][lane()] = sum;
    if (lane() == 0)
        products[warp()] = product;
    __syncthreads();
    if (warp() != 0)
        return;
    sum = product = 0;
    for (int w = 0; w < Warps; w++) {
        sum += sums[w][lane()];
        product += products[w];
    }
    const float least = expf(min_or_nan(LargestFloor, static_cast<float>(-after)));
    if (real)
        h[value_row + e] = sum / (max_or_nan(fabsf(product), least) + epsilon);
    if (blockIdx.x == 0 && lane() == 0)
        m[sequence] = static_cast<float>(after);
}
