// 8-bit activations times a ternary matrix of two bits a weight (README.md has the layout), and the rounding that comes before in packed_bitlinear.
// Codes are taken apart in registers: a word of four bytes, shifted by 2 i and masked, is the i-th of the four groups of 32 weights in a block, and meets
// four activations that follow each other. A few tokens are multiplied by dp4a, a warp some outputs; more of them on the tensor cores. Codes are one too
// large, so the sum of activations comes off. Sums are whole numbers and exact, so that a card gives the bits of the cpu backend.
#include "zoo.cuh"
#include "RoundedRows.cuh"

using namespace zoo;

constexpr int BlockWeights = 128, BlockWords = 8;    // of codes; their activations are four times as many
constexpr u32 Mask = 0x03030303;
constexpr int Ones = 0x01010101;
constexpr int ArrangeThreads = 128;
constexpr int Warps = 4;                             // of a block that multiplies

struct alignas(16) Words {
    u32 word[4];
};

__device__ __forceinline__ float scaled(int sum, float weight_scale, float activation_scale, const float* bias, int row) {
    const float y = __fmul_rn(static_cast<float>(sum), __fdiv_rn(weight_scale, activation_scale));
    return bias ? __fadd_rn(y, bias[row]) : y;
}

/// Copies a token's activations to where rows begin at words and end with whole blocks. A block a token.
extern "C" __global__ void __launch_bounds__(ArrangeThreads) ternary_arrange(const i8* x, u32* arranged, int dim, int blocks) {
    const i64 token = blockIdx.x;
    x += token * dim;
    arranged += token * blocks * BlockWords * 4;
    for (int i = threadIdx.x; i < blocks * BlockWords * 4; i += ArrangeThreads) {
        u32 word = 0;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int value = 4 * i + j < dim ? x[4 * i + j] : 0;
            word |= static_cast<u32>(value & 0xFF) << (8 * j);
        }
        arranged[i] = word;
    }
}

/// Rounds a row of numbers to where it is multiplied from, as `bitlinear` does. A block a token.
extern "C" __global__ void __launch_bounds__(rounded::Threads) ternary_round(
    const float* x, const float* norm, u32* arranged, float* scales, int dim, int blocks, float epsilon) {
    const i64 token = blockIdx.x;
    u32* const to = arranged + token * blocks * BlockWords * 4;
    const rounded::Scales made = rounded::round_row(x + token * dim, norm, dim, blocks * BlockWords * 4, epsilon, [&](int i, u32 word) { to[i] = word; });
    if (threadIdx.x == 0)
        scales[token] = made.scale;
}

/// Up to eight tokens, each of `token_words` words: a warp `Rows` outputs, a lane 16 bytes of codes of each at a time.
template <int Tokens, int Rows>
__device__ __forceinline__ void multiply_few(
    const u32* x, const u32* codes, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks, int token_words, int tokens) {
    const int first = (blockIdx.x * Warps + warp()) * Rows;
    if (first >= rows)
        return;
    int total[Rows][Tokens] = {}, sums[Tokens] = {};
    for (int piece = lane(); piece < 2 * blocks; piece += WarpSize) {
        Words code[Rows];
#pragma unroll
        for (int r = 0; r < Rows; r++)     // a row that there is not, is the last one once more
            code[r] = *reinterpret_cast<const Words*>(codes + static_cast<i64>(min(first + r, rows - 1)) * blocks * BlockWords + 4 * piece);
        const int at = piece / 2 * 4 * BlockWords + piece % 2 * 4;
#pragma unroll
        for (int part = 0; part < 4; part++) {
#pragma unroll
            for (int token = 0; token < Tokens; token++) {
                const int from = at + part * BlockWords;
                Words values = {};
                if (token < tokens && from < token_words)
                    values = *reinterpret_cast<const Words*>(x + static_cast<i64>(token) * token_words + from);
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    sums[token] = __dp4a(Ones, static_cast<int>(values.word[j]), sums[token]);
#pragma unroll
                    for (int r = 0; r < Rows; r++)
                        total[r][token] = __dp4a(static_cast<int>(code[r].word[j] >> (2 * part) & Mask), static_cast<int>(values.word[j]), total[r][token]);
                }
            }
        }
    }
    const float of_weights = *w_scale;
#pragma unroll
    for (int token = 0; token < Tokens; token++) {
#pragma unroll
        for (int r = 0; r < Rows; r++) {
            const int sum = warp_sum(total[r][token] - sums[token]);
            if (lane() == 0 && token < tokens && first + r < rows)
                y[static_cast<i64>(token) * rows + first + r] = scaled(sum, of_weights, x_scale[token], bias, first + r);
        }
    }
}

extern "C" __global__ void __launch_bounds__(Warps * WarpSize) ternary_one(
    const u32* x, const u32* codes, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks, int token_words, int tokens) {
    multiply_few<1, 1>(x, codes, x_scale, w_scale, bias, y, rows, blocks, token_words, tokens);
}

extern "C" __global__ void __launch_bounds__(Warps * WarpSize) ternary_few(
    const u32* x, const u32* codes, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks, int token_words, int tokens) {
    multiply_few<4, 2>(x, codes, x_scale, w_scale, bias, y, rows, blocks, token_words, tokens);
}

extern "C" __global__ void __launch_bounds__(Warps * WarpSize) ternary_eight(
    const u32* x, const u32* codes, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks, int token_words, int tokens) {
    multiply_few<8, 2>(x, codes, x_scale, w_scale, bias, y, rows, blocks, token_words, tokens);
}

/// Any tokens, each of `token_words` words, whole blocks: a block 16 outputs by 32 tokens on the tensor cores, each of its warps every fourth block of the sum. Codes take the place of the first
/// factor, four steps a load; a first factor of ones gives the sums that come off.
extern "C" __global__ void __launch_bounds__(Warps * WarpSize) ternary_many(
    const u32* given, const u32* codes, const float* x_scale, const float* w_scale, const float* bias, float* y, int rows, int blocks, int token_words,
    int tokens) {
    constexpr int Columns = 4;                       // tiles of eight tokens
    __shared__ int parts[Warps][Columns * 4][WarpSize];
    const int g = lane() / 4, t = lane() % 4;
    const int first_row = blockIdx.x * 16, first_token = blockIdx.y * 8 * Columns;
    // Rows and tokens that there are not are the last one once more: multiplied, and not written.
    const u32* upper = codes + static_cast<i64>(first_row + g < rows ? first_row + g : rows - 1) * blocks * BlockWords + t;
    const u32* lower = codes + static_cast<i64>(first_row + 8 + g < rows ? first_row + 8 + g : rows - 1) * blocks * BlockWords + t;
    const u32* x[Columns];
#pragma unroll
    for (int n = 0; n < Columns; n++) {
        const int token = first_token + 8 * n + g;
        x[n] = given + static_cast<i64>(token < tokens ? token : tokens - 1) * token_words + t;
    }
    int total[Columns][4] = {}, off[Columns][4] = {};
    const u32 ones[4] = {Ones, Ones, Ones, Ones};
    for (int block = warp(); block < blocks; block += Warps) {
        const u32* const up = upper + block * BlockWords;
        const u32* const low = lower + block * BlockWords;
        const u32 a0 = up[0], a1 = low[0], a2 = up[4], a3 = low[4];
#pragma unroll
        for (int part = 0; part < 4; part++) {
            const u32 a[4] = {a0 >> (2 * part) & Mask, a1 >> (2 * part) & Mask, a2 >> (2 * part) & Mask, a3 >> (2 * part) & Mask};
#pragma unroll
            for (int n = 0; n < Columns; n++) {
                const u32* const from = x[n] + (block * 4 + part) * BlockWords;
                const u32 b[2] = {from[0], from[4]};
                mma_s8(total[n], a, b);
                mma_s8(off[n], ones, b);
            }
        }
    }
#pragma unroll
    for (int n = 0; n < Columns; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            parts[warp()][4 * n + i][lane()] = total[n][i] - off[n][i];
    }
    __syncthreads();
    const float of_weights = *w_scale;
    for (int e = threadIdx.x; e < Columns * 4 * WarpSize; e += Warps * WarpSize) {
        const int n = e / WarpSize / 4, i = e / WarpSize % 4, l = e % WarpSize;
        int sum = 0;
        for (int w = 0; w < Warps; w++)
            sum += parts[w][4 * n + i][l];
        const int row = first_row + l / 4 + 8 * (i / 2), token = first_token + 8 * n + l % 4 * 2 + i % 2;
        if (row < rows && token < tokens)
            y[static_cast<i64>(token) * rows + row] = scaled(sum, of_weights, x_scale[token], bias, row);
    }
}
