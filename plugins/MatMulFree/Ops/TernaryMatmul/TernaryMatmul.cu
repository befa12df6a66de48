// 8-bit activations times a ternary matrix of two bits a weight (README.md has the layout). Codes are taken apart in registers: a word of four bytes,
// shifted by 2 i and masked, is the i-th of the four groups of 32 weights in a block, and meets four activations that follow each other. A few
// tokens are multiplied by dp4a, a warp an output; more of them on the tensor cores. Sums are whole numbers and exact, so that a card gives the bits
// of the cpu backend.
#include "zoo.cuh"

using namespace zoo;

constexpr int BlockWeights = 128, BlockWords = 8;    // of codes; their activations are four times as many
constexpr u32 Mask = 0x03030303;
constexpr int ArrangeThreads = 128;
constexpr int Warps = 4;                             // of a block that multiplies

struct alignas(16) Words {
    u32 word[4];
};

__device__ __forceinline__ float scaled(int sum, float weight_scale, float activation_scale, const float* bias, int row) {
    const float y = __fmul_rn(static_cast<float>(sum), __fdiv_rn(weight_scale, activation_scale));
    return bias ? __fadd_rn(y, bias[row]) : y;
}

/// Copies a token's activations to where rows begin at words and end with whole blocks, and adds them up. A block a token.
extern "C" __global__ void ternary_arrange(const i8* x, u32* arranged, int* sums, int dim, int blocks) {
    const i64 token = blockIdx.x;
    x += token * dim;
    arranged += token * blocks * BlockWords * 4;
    int sum = 0;
    for (int i = threadIdx.x; i < blocks * BlockWords * 4; i += ArrangeThreads) {
        u32 word = 0;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int value = 4 * i + j < dim ? x[4 * i + j] : 0;
            sum += value;
            word |= static_cast<u32>(value & 0xFF) << (8 * j);
        }
        arranged[i] = word;
    }
    sum = block_sum<ArrangeThreads>(sum);
    if (threadIdx.x == 0)
        sums[token] = sum;
}

/// Up to four tokens: a warp an output, a lane 16 bytes of its codes at a time.
template <int Tokens>
__device__ __forceinline__ void multiply_few(
    const u32* arranged, const u32* codes, const int* sums, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks) {
    const int row = blockIdx.x * Warps + warp();
    if (row >= rows)
        return;
    codes += static_cast<i64>(row) * blocks * BlockWords;
    const i64 token_words = static_cast<i64>(blocks) * BlockWords * 4;
    int total[Tokens] = {};
    for (int piece = lane(); piece < 2 * blocks; piece += WarpSize) {
        const Words code = *reinterpret_cast<const Words*>(codes + 4 * piece);
        const u32* x = arranged + piece / 2 * 4 * BlockWords + piece % 2 * 4;
#pragma unroll
        for (int part = 0; part < 4; part++) {
#pragma unroll
            for (int token = 0; token < Tokens; token++) {
                const Words values = *reinterpret_cast<const Words*>(x + token * token_words + part * BlockWords);
#pragma unroll
                for (int j = 0; j < 4; j++)
                    total[token] = __dp4a(static_cast<int>(code.word[j] >> (2 * part) & Mask), static_cast<int>(values.word[j]), total[token]);
            }
        }
    }
#pragma unroll
    for (int token = 0; token < Tokens; token++) {
        const int sum = warp_sum(total[token]);
        if (lane() == 0)
            y[static_cast<i64>(token) * rows + row] = scaled(sum - sums[token], *w_scale, x_scale[token], bias, row);
    }
}

extern "C" __global__ void ternary_one(
    const u32* arranged, const u32* codes, const int* sums, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks) {
    multiply_few<1>(arranged, codes, sums, x_scale, w_scale, bias, y, rows, blocks);
}

extern "C" __global__ void ternary_two(
    const u32* arranged, const u32* codes, const int* sums, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks) {
    multiply_few<2>(arranged, codes, sums, x_scale, w_scale, bias, y, rows, blocks);
}

/// Any tokens: a warp 16 outputs by 32 tokens on the tensor cores. Codes take the place of the first factor, four steps a load.
extern "C" __global__ void ternary_many(
    const u32* arranged, const u32* codes, const int* sums, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks,
    int tokens) {
    constexpr int Columns = 4;                       // tiles of eight tokens
    const int g = lane() / 4, t = lane() % 4;
    const int first_row = (blockIdx.x * Warps + warp()) * 16, first_token = blockIdx.y * 8 * Columns;
    if (first_row >= rows)
        return;
    // Rows and tokens that there are not are the last one once more: multiplied, and not written.
    const u32* upper = codes + static_cast<i64>(first_row + g < rows ? first_row + g : rows - 1) * blocks * BlockWords + t;
    const u32* lower = codes + static_cast<i64>(first_row + 8 + g < rows ? first_row + 8 + g : rows - 1) * blocks * BlockWords + t;
    const u32* x[Columns];
#pragma unroll
    for (int n = 0; n < Columns; n++) {
        const int token = first_token + 8 * n + g;
        x[n] = arranged + static_cast<i64>(token < tokens ? token : tokens - 1) * blocks * BlockWords * 4 + t;
    }
    int total[Columns][4] = {};
    for (int block = 0; block < blocks; block++) {
        const u32 a0 = upper[0], a1 = lower[0], a2 = upper[4], a3 = lower[4];
        upper += BlockWords;
        lower += BlockWords;
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const u32 a[4] = {a0 >> (2 * part) & Mask, a1 >> (2 * part) & Mask, a2 >> (2 * part) & Mask, a3 >> (2 * part) & Mask};
#pragma unroll
            for (int n = 0; n < Columns; n++) {
                const u32 b[2] = {x[n][0], x[n][4]};
                mma_s8(total[n], a, b);
                x[n] += BlockWords;
            }
        }
    }
#pragma unroll
    for (int n = 0; n < Columns; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int row = first_row + g + 8 * (i / 2), token = first_token + 8 * n + 2 * t + i % 2;
            if (row < rows && token < tokens)
                y[static_cast<i64>(token) * rows + row] = scaled(total[n][i] - sums[token], *w_scale, x_scale[token], bias, row);
        }
    }
}
