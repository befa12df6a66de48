// slstm and its backward (README.md). A block has a head of a few sequences for the whole time: nothing leaves it from step to step, and no block
// waits for another one.
//
// R lies in the block too: a thread makes one of the 4 · dim numbers of the recurrent product and keeps the first of its weights in registers; those that
// follow lie in shared memory as far as that reaches, and only what is left of wide heads is read again at every step. Rows of several sequences
// pass over the same weights. Of a row's element the same thread has c, n and m from the first step to the last.
#include "zoo.cuh"
#include "Pieces.cuh"
#include "Tiles.cuh"

using namespace zoo;

constexpr int Kept = 7;         // i', f', z, o, σ(-f), c, n
constexpr int MostRows = 4;     // a thread for every element of a row

struct Sizes {
    int batch, heads, length, dim;

    __device__ i64 input(int sequence, int t, int gate, int head, int e) const {
        return (((static_cast<i64>(sequence) * length + t) * 4 + gate) * heads + head) * dim + e;
    }
    __device__ i64 output(int sequence, int head, int t, int e) const {
        return ((static_cast<i64>(sequence) * heads + head) * length + t) * dim + e;
    }
    __device__ i64 kept(int sequence, int head, int t, int what, int e) const {
        return (((static_cast<i64>(sequence) * heads + head) * length + t) * Kept + what) * dim + e;
    }
    __device__ i64 state(int part, int sequence, int head, int e) const {
        return ((static_cast<i64>(part) * batch + sequence) * heads + head) * dim + e;
    }

    /// Rows as whole float4.
    __device__ int padded() const { return (dim + 3) / 4 * 4; }

    /// Whether every n of the state is zero: the whole block asks, and every thread gets it.
    __device__ bool is_empty(const float* given) const {
        bool found = false;
        if (given) {
            const i64 plane = static_cast<i64>(batch) * heads * dim;
            for (i64 i = threadIdx.x; i < plane; i += blockDim.x)
                found |= given[2 * plane + i] != 0;
        }
        return !__syncthreads_or(found);
    }
};

/// What one thread multiplies with: the first weights in registers, the next in shared memory by fours, the rest where they came from.
template <int Registers> struct Weights {
    float own[Registers];
    const float4* shared;
    const float* global;
    int dim, quads, step;

    /// Weight k at global[k · step]; `room` is for in_shared weights, a multiple of 4, of every thread.
    __device__ Weights(const float* global, int step, float* room, int dim, int in_shared, bool real)
        : shared(reinterpret_cast<float4*>(room) + threadIdx.x), global(global), dim(dim), quads(in_shared / 4), step(step) {
#pragma unroll
        for (int k = 0; k < Registers; k++)
            own[k] = real && k < dim ? global[static_cast<i64>(k) * step] : 0;
        for (int quad = 0; quad < quads; quad++) {
            float four[4];
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int k = Registers + 4 * quad + i;
                four[i] = real && k < dim ? global[static_cast<i64>(k) * step] : 0;
            }
            reinterpret_cast<float4*>(room)[quad * blockDim.x + threadIdx.x] = make_float4(four[0], four[1], four[2], four[3]);
        }
    }

    /// Σ_k weight k · source[row, k], rows `stride` apart, a multiple of 4, and zero beyond the last number.
    template <int Rows> __device__ __forceinline__ void apply(const float* source, int stride, float (&sums)[Rows]) const {
        float4 parts[Rows];
#pragma unroll
        for (int row = 0; row < Rows; row++)
            parts[row] = {0, 0, 0, 0};
#pragma unroll
        for (int k = 0; k < Registers; k += 4) {
            if (k >= dim)
                break;
            add<Rows>(parts, make_float4(own[k], own[k + 1], own[k + 2], own[k + 3]), source + k, stride);
        }
#pragma unroll (Rows > 1 ? 1 : 4)
        for (int quad = 0; quad < quads; quad++)
            add<Rows>(parts, shared[quad * blockDim.x], source + Registers + 4 * quad, stride);
#pragma unroll (Rows > 1 ? 1 : 4)
        for (int k = Registers + 4 * quads; k < dim; k++) {
            const float weight = __ldg(global + static_cast<i64>(k) * step);
#pragma unroll
            for (int row = 0; row < Rows; row++)
                parts[row].x = fmaf(weight, source[row * stride + k], parts[row].x);
        }
#pragma unroll
        for (int row = 0; row < Rows; row++)
            sums[row] = (parts[row].x + parts[row].y) + (parts[row].z + parts[row].w);
    }

    template <int Rows> static __device__ __forceinline__ void add(float4 (&parts)[Rows], float4 weights, const float* source, int stride) {
#pragma unroll
        for (int row = 0; row < Rows; row++) {
            const float4 x = *reinterpret_cast<const float4*>(source + row * stride);
            parts[row].x = fmaf(weights.x, x.x, parts[row].x);
            parts[row].y = fmaf(weights.y, x.y, parts[row].y);
            parts[row].z = fmaf(weights.z, x.z, parts[row].z);
            parts[row].w = fmaf(weights.w, x.w, parts[row].w);
        }
    }
};

/// R with rows and columns exchanged, [head, dim, 4 · dim]: neighbouring threads then read neighbouring weights.
extern "C" __global__ void slstm_turn(const float* recurrent, float* turned, int dim, i64 count) {
    const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    const int o = i % (4 * dim), d = i / (4 * dim) % dim;
    const i64 head = i / (4 * dim) / dim;
    turned[i] = recurrent[(head * 4 * dim + o) * dim + d];
}

template <int Registers, int Rows> __device__ __forceinline__ void forward(
    const float* x, const float* turned, const float* bias, const float* state, float* y, float* last, float* kept, const Sizes& sizes, int in_shared) {
    const int dim = sizes.dim, padded = sizes.padded(), head = blockIdx.x, first = blockIdx.y * Rows, own = threadIdx.x, row = own / dim, e = own % dim;
    const int sequence = first + row;
    const bool multiplies = own < 4 * dim, has_element = row < Rows && sequence < sizes.batch;
    float* const outputs = dynamic_shared<float>();             // [row, padded dim]
    float* const sums = outputs + Rows * padded;                // [row, 4 · dim]
    const bool is_empty = sizes.is_empty(state);
    const Weights<Registers> weights(
        turned + static_cast<i64>(head) * dim * 4 * dim + own, 4 * dim, sums + Rows * 4 * dim, dim, in_shared, multiplies);
    for (int i = own; i < Rows * padded; i += blockDim.x) {
        const int r = i / padded, d = i % padded;
        outputs[i] = state && d < dim && first + r < sizes.batch ? state[sizes.state(0, first + r, head, d)] : 0;
    }
    float output = 0, c = 0, n = 0, m = 0, biases[4], given[4];
#pragma unroll
    for (int gate = 0; gate < 4; gate++) {
        biases[gate] = has_element ? bias[(gate * sizes.heads + head) * dim + e] : 0;
        given[gate] = has_element && sizes.length > 0 ? x[sizes.input(sequence, 0, gate, head, e)] : 0;
    }
    if (has_element && state) {
        output = state[sizes.state(0, sequence, head, e)];
        c = state[sizes.state(1, sequence, head, e)];
        n = state[sizes.state(2, sequence, head, e)];
        m = state[sizes.state(3, sequence, head, e)];
    }
    __syncthreads();
    for (int t = 0; t < sizes.length; t++) {
        float gates[4];
#pragma unroll
        for (int gate = 0; gate < 4; gate++) {
            gates[gate] = given[gate] + biases[gate];
            if (has_element && t + 1 < sizes.length)
                given[gate] = x[sizes.input(sequence, t + 1, gate, head, e)];       // a step ahead
        }
        if (multiplies) {
            float products[Rows];
            weights.apply(outputs, padded, products);
#pragma unroll
            for (int r = 0; r < Rows; r++)
                sums[r * 4 * dim + own] = products[r];
        }
        __syncthreads();
        if (has_element) {
#pragma unroll
            for (int gate = 0; gate < 4; gate++)
                gates[gate] += sums[row * 4 * dim + gate * dim + e];
            const float z = tanhf(gates[2]), o = sigmoid(gates[3]), small = expf(-fabsf(gates[1]));
            const float not_forgotten = (gates[1] > 0 ? small : 1) / (1 + small);
            const float forgotten = (gates[1] < 0 ? gates[1] : 0) - log1pf(small) + m;
            float input = 1, forget = 1;
            if (is_empty && t == 0) {
                forget = expf(min_or_nan(forgotten - gates[0], 0));
                m = gates[0];
            } else {
                const float apart = gates[0] - forgotten, lesser = expf(-fabsf(apart));
                if (apart < 0)
                    input = lesser;
                else
                    forget = lesser;
                m = max_or_nan(gates[0], forgotten);
            }
            c = fmaf(forget, c, input * z);
            n = fmaf(forget, n, input);
            output = n == 0 ? 0 : o * c / n;
            outputs[row * padded + e] = output;
            y[sizes.output(sequence, head, t, e)] = output;
            if (kept) {
                const float values[Kept] = {input, forget, z, o, not_forgotten, c, n};
#pragma unroll
                for (int what = 0; what < Kept; what++)
                    kept[sizes.kept(sequence, head, t, what, e)] = values[what];
            }
        }
        __syncthreads();
    }
    if (has_element) {
        last[sizes.state(0, sequence, head, e)] = output;
        last[sizes.state(1, sequence, head, e)] = c;
        last[sizes.state(2, sequence, head, e)] = n;
        last[sizes.state(3, sequence, head, e)] = m;
    }
}

/// What a step's backward reads.
struct Step {
    float input, forget, z, o, not_forgotten, c_before, n_before, given;

    __device__ static Step at(const float* kept, const float* state, const float* grad_y, const Sizes& sizes, int sequence, int head, int t, int e) {
        const float* const own = kept + sizes.kept(sequence, head, t, 0, e);
        const int dim = sizes.dim;
        Step step = {own[0], own[dim], own[2 * dim], own[3 * dim], own[4 * dim], 0, 0, grad_y ? grad_y[sizes.output(sequence, head, t, e)] : 0};
        if (t > 0) {
            step.c_before = own[5 * dim - Kept * dim];
            step.n_before = own[6 * dim - Kept * dim];
        } else if (state) {
            step.c_before = state[sizes.state(1, sequence, head, e)];
            step.n_before = state[sizes.state(2, sequence, head, e)];
        }
        return step;
    }
};

template <int Registers, int Rows> __device__ __forceinline__ void backward(
    const float* recurrent, const float* state, const float* last, const float* kept, const float* grad_y, const float* grad_last,
    float* grad_x, float* grad_state, const Sizes& sizes, int in_shared) {
    const int dim = sizes.dim, padded = sizes.padded(), head = blockIdx.x, first = blockIdx.y * Rows, own = threadIdx.x, row = own / dim, e = own % dim;
    const int sequence = first + row;
    const bool multiplies = own < 4 * dim, has_element = row < Rows && sequence < sizes.batch;
    float* const grads = dynamic_shared<float>();               // of the pre-activations, [row, gate, padded dim]
    float* const sums = grads + Rows * 4 * padded;              // [row, gate, dim]
    const bool is_empty = sizes.is_empty(state);
    const Weights<Registers> weights(       // `row` and `e` of this thread's number are its gate and dimension here
        recurrent + (static_cast<i64>(head) * 4 + row) * dim * dim + e, dim, sums + Rows * 4 * dim, dim, in_shared, multiplies);
    for (int i = own; i < Rows * 4 * padded; i += blockDim.x)
        grads[i] = 0;
    float of_y = 0, of_c = 0, of_n = 0, of_m = 0, of_m_before = 0, c = 0, n = 0;
    Step next = {};
    if (has_element) {
        c = last[sizes.state(1, sequence, head, e)];
        n = last[sizes.state(2, sequence, head, e)];
        if (grad_last) {
            of_y = grad_last[sizes.state(0, sequence, head, e)];
            of_c = grad_last[sizes.state(1, sequence, head, e)];
            of_n = grad_last[sizes.state(2, sequence, head, e)];
            of_m = grad_last[sizes.state(3, sequence, head, e)] - of_c * c - of_n * n;
        }
        if (sizes.length > 0)
            next = Step::at(kept, state, grad_y, sizes, sequence, head, sizes.length - 1, e);
        else
            of_m_before = of_c * c + of_n * n;
    }
    __syncthreads();
    for (int t = sizes.length - 1; t >= 0; t--) {
        if (has_element) {
            const Step now = next;
            if (t > 0)
                next = Step::at(kept, state, grad_y, sizes, sequence, head, t - 1, e);      // a step ahead
            of_y += now.given;
            const float inverse = n == 0 ? 0 : 1 / n, ratio = c * inverse, shared = of_y * now.o * inverse;
            const float grad_c = of_c + shared, grad_n = of_n - shared * ratio;
            float of_forget = fmaf(grad_c, now.c_before, grad_n * now.n_before) * now.forget;
            float of_cut = 0;
            if (t == 0) {
                if (is_empty && !(now.forget < 1)) {
                    of_cut = of_forget;         // f' was cut off at 1: it takes nothing from log sigma(f) and m, and nothing from i either, the next m
                    of_forget = 0;
                }
                of_m_before = of_forget;
            }
            // m's own gradient goes where the maximum came from: the input gate where i' is 1.
            const float to_forget = now.input < 1 ? of_m : 0;
            const float values[4] = {
                fmaf(grad_c, now.z, grad_n) * now.input + of_cut + of_m - to_forget, (of_forget + to_forget) * now.not_forgotten,
                grad_c * now.input * (1 - now.z * now.z), of_y * ratio * now.o * (1 - now.o)};
#pragma unroll
            for (int gate = 0; gate < 4; gate++) {
                grads[(row * 4 + gate) * padded + e] = values[gate];
                grad_x[sizes.input(sequence, t, gate, head, e)] = values[gate];
            }
            of_c = grad_c * now.forget;
            of_n = grad_n * now.forget;
            of_m = to_forget;
            c = now.c_before;
            n = now.n_before;
        }
        __syncthreads();
        if (multiplies) {
            float products[Rows];
            weights.apply(grads + row * padded, 4 * padded, products);
#pragma unroll
            for (int r = 0; r < Rows; r++)
                sums[r * 4 * dim + own] = products[r];
        }
        __syncthreads();
        if (has_element) {
            const float* const own_sums = sums + row * 4 * dim + e;
            of_y = (own_sums[0] + own_sums[dim]) + (own_sums[2 * dim] + own_sums[3 * dim]);
        }
    }
    if (has_element && grad_state) {
        grad_state[sizes.state(0, sequence, head, e)] = of_y;
        grad_state[sizes.state(1, sequence, head, e)] = of_c;
        grad_state[sizes.state(2, sequence, head, e)] = of_n;
        grad_state[sizes.state(3, sequence, head, e)] = of_m + of_m_before;
    }
}

#define LOOPS(REGISTERS, ROWS, THREADS)                                                                                                             \
    extern "C" __global__ void __launch_bounds__(THREADS) slstm_forward_##REGISTERS##_##ROWS(                                                       \
        const float* x, const float* turned, const float* bias, const float* state, float* y, float* last, float* kept,                             \
        int batch, int heads, int length, int dim, int in_shared) {                                                                                 \
        forward<REGISTERS, ROWS>(x, turned, bias, state, y, last, kept, {batch, heads, length, dim}, in_shared);                                    \
    }                                                                                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS) slstm_backward_##REGISTERS##_##ROWS(                                                      \
        const float* recurrent, const float* state, const float* last, const float* kept, const float* grad_y, const float* grad_last,              \
        float* grad_x, float* grad_state, int batch, int heads, int length, int dim, int in_shared) {                                               \
        backward<REGISTERS, ROWS>(                                                                                                                  \
            recurrent, state, last, kept, grad_y, grad_last, grad_x, grad_state, {batch, heads, length, dim}, in_shared);                           \
    }

LOOPS(32, 1, 128)
LOOPS(32, 4, 128)
LOOPS(64, 1, 512)
LOOPS(64, 4, 256)
LOOPS(48, 4, 512)
LOOPS(8, 1, 1024)
LOOPS(8, 4, 1024)

/// Of R and the bias, a piece of some groups of 64 steps: block (tile of a gate's outputs and of y's dimensions, head, piece);
/// [piece, heads · 4 · dim · dim + 4 · heads · dim].
extern "C" __global__ void __launch_bounds__(tiles::Threads) slstm_grad_weights(
    const float* grad_x, const float* y, const float* state, float* pieces, int groups, int groups_of_block, int batch, int heads, int length, int dim) {
    __shared__ __align__(16) float grads[tiles::Floats], before[tiles::Floats];
    const Sizes sizes = {batch, heads, length, dim};
    const int across = (dim + tiles::Size - 1) / tiles::Size, gate = blockIdx.x / (across * across), head = blockIdx.y;
    const int first_e = blockIdx.x / across % across * tiles::Size, first_d = blockIdx.x % across * tiles::Size;
    const int rows = min(tiles::Size, dim - first_e), columns = min(tiles::Size, dim - first_d), groups_of_sequence = (length + tiles::Size - 1) / tiles::Size;
    tiles::Product product;
    float bias = 0;
    for (int group = blockIdx.z * groups_of_block; group < min(groups, (static_cast<int>(blockIdx.z) + 1) * groups_of_block); group++) {
        const int sequence = group / groups_of_sequence, start = group % groups_of_sequence * tiles::Size, count = min(tiles::Size, length - start);
        tiles::load(grads, grad_x + sizes.input(sequence, start, gate, head, first_e), static_cast<i64>(4) * heads * dim, count, rows);
        tiles::load(before, count, columns, [=](int r) -> const float* {
            return start + r > 0 ? y + sizes.output(sequence, head, start + r - 1, first_d)
                : state ? state + sizes.state(0, sequence, head, first_d) : nullptr;
        });
        tiles::arrive();
        product.add<true, false>(grads, before, 0, tiles::whole(count), rows, columns);
        if (threadIdx.x < rows) {
            for (int t = 0; t < count; t++)
                bias += grads[t * tiles::Row + threadIdx.x];
        }
        __syncthreads();
    }
    const i64 size = static_cast<i64>(heads) * 4 * dim * dim;
    pieces += blockIdx.z * (size + 4 * heads * dim);
    product.each([&](int row, int column, float sum) {
        if (row < rows && column < columns)
            pieces[((static_cast<i64>(head) * 4 + gate) * dim + first_e + row) * dim + first_d + column] = sum;
    });
    if (first_d == 0 && threadIdx.x < rows)
        pieces[size + (gate * heads + head) * dim + first_e + threadIdx.x] = bias;
}
