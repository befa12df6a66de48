// Products of float32 matrices on tensor cores, as exact as float32 itself.
//
// A tf32 has 10 bits of fraction, too few for a gradient. So each number is split in two, x = high + low, both tf32, and a product is
// low·high + high·low + high·high: what is left out is 2^-22 of it. Tensor cores cut their sums off instead of rounding them, which adds up over
// thousands of steps; so they add no more than sixteen steps, and the rest is added in float32.
//
// An operand is a matrix of lines (rows of the first factor, columns of the second) by steps of the sum. In memory either the steps of a line follow
// each other (`Along`: line · stride + step) or the lines of a step do (step · stride + line). In shared memory a stride is 4 beyond a multiple
// of 8 in the first case, 8 beyond a multiple of 32 in the second: then no two lanes of a fragment meet in one bank.
#pragma once

#include "zoo.cuh"

namespace zoo {

constexpr int ProductStep = 8;   // steps of one multiplication of the tensor cores

/// x = high + low to 2^-23 of x, each rounded to nearest: sums that cancel show the difference to cutting off. NaN stays, in `low`; infinity becomes it.
/// A multiplication reads the upper 19 bits of a number and drops the rest. `high` is rounded before that; `low`, which has at most 13 bits, by the factor,
/// which lifts it by half a place or more, and by less than one.
__device__ __forceinline__ void split_tf32(float x, u32& high, u32& low) {
    high = (__float_as_uint(x) + 0x1000) & 0xFFFFE000;
    low = __float_as_uint((x - __uint_as_float(high)) * 1.00048828125f);   // 1 + 2^-11
}

/// 16 lines by 8 steps of the first factor.
struct LeftFragment {
    u32 high[4], low[4];

    __device__ __forceinline__ void set(int r, float x) { split_tf32(x, high[r], low[r]); }

    /// The numbers as they are in shared memory: `at` is the first line's first step.
    template <bool Along> __device__ static __forceinline__ void read(u32 (&bits)[4], const float* at, int stride) {
        if constexpr (Along) {
            load_matrix(bits, at + lane() % 16 * stride + lane() / 16 * 4);
        } else {
            at += lane() % 4 * stride + lane() / 4;
#pragma unroll
            for (int r = 0; r < 4; r++)
                bits[r] = __float_as_uint(at[r / 2 * 4 * stride + r % 2 * 8]);
        }
    }

    __device__ __forceinline__ void split(const u32 (&bits)[4]) {
#pragma unroll
        for (int r = 0; r < 4; r++)
            set(r, __uint_as_float(bits[r]));
    }

    /// The same where steps t and t + 4 are multiplied by `scale` first.
    __device__ __forceinline__ void split(const u32 (&bits)[4], const float (&scale)[2]) {
#pragma unroll
        for (int r = 0; r < 4; r++)
            set(r, __uint_as_float(bits[r]) * scale[r / 2]);
    }

    template <bool Along> __device__ __forceinline__ void load(const float* at, int stride) {
        u32 bits[4];
        read<Along>(bits, at, stride);
        split(bits);
    }

    /// Of a product's own 16 by 8 sums, as they are: steps t and t + 4 are then columns 2 t and 2 t + 1, and the second factor must be `load_pairs`.
    __device__ __forceinline__ void of_sums(const float (&sums)[4]) {
#pragma unroll
        for (int r = 0; r < 4; r++)
            set(r, sums[r % 2 * 2 + r / 2]);
    }
};

/// 8 steps by 8 lines of the second factor.
struct RightFragment {
    u32 high[2], low[2];

    __device__ __forceinline__ void set(int r, float x) { split_tf32(x, high[r], low[r]); }

    /// Count · 8 lines, a multiple of 16 where they are `Along`.
    template <bool Along, int Count> __device__ static __forceinline__ void load(RightFragment (&to)[Count], const float* at, int stride) {
        if constexpr (Along) {
            static_assert(Count % 2 == 0, "two fragments a load");
            at += (lane() % 8 + lane() / 16 * 8) * stride + lane() / 8 % 2 * 4;
#pragma unroll
            for (int n = 0; n < Count; n += 2) {
                u32 bits[4];
                load_matrix(bits, at + n * 8 * stride);
#pragma unroll
                for (int r = 0; r < 4; r++)
                    to[n + r / 2].set(r % 2, __uint_as_float(bits[r]));
            }
        } else {
            at += lane() % 4 * stride + lane() / 4;
#pragma unroll
            for (int n = 0; n < Count; n++) {
#pragma unroll
                for (int r = 0; r < 2; r++)
                    to[n].set(r, at[r * 4 * stride + n * 8]);
            }
        }
    }

    /// Count · 8 lines that are not `Along`, steps in the order of LeftFragment::of_sums; the stride is 4 beyond a multiple of 16.
    template <int Count> __device__ static __forceinline__ void load_pairs(RightFragment (&to)[Count], const float* at, int stride) {
        at += lane() % 4 * 2 * stride + lane() / 4;
#pragma unroll
        for (int n = 0; n < Count; n++) {
#pragma unroll
            for (int r = 0; r < 2; r++)
                to[n].set(r, at[r * stride + n * 8]);
        }
    }
};

/// 16 rows by Columns · 8 columns of a product over Steps · 8 steps, as the fragments have them: in place of what is in `sums`. Small terms come first.
/// `Exact` says that the second factor's numbers are tf32 as they are: whole numbers of 8 bits, for one.
template <bool Exact, int Columns, int Steps>
__device__ __forceinline__ void multiply_alone(float (&sums)[Columns][4], const LeftFragment (&a)[Steps], const RightFragment (&b)[Steps][Columns]) {
#pragma unroll
    for (int s = 0; s < Steps; s++) {
#pragma unroll
        for (int n = 0; n < Columns; n++) {
            if (s == 0)
                mma_tf32_alone(sums[n], a[s].low, b[s][n].high);
            else
                mma_tf32(sums[n], a[s].low, b[s][n].high);
        }
    }
#pragma unroll
    for (int s = 0; s < Steps && !Exact; s++) {
#pragma unroll
        for (int n = 0; n < Columns; n++)
            mma_tf32(sums[n], a[s].high, b[s][n].low);
    }
#pragma unroll
    for (int s = 0; s < Steps; s++) {
#pragma unroll
        for (int n = 0; n < Columns; n++)
            mma_tf32(sums[n], a[s].high, b[s][n].high);
    }
}

template <int Columns> __device__ __forceinline__ void add(float (*sums)[4], const float (&parts)[Columns][4]) {
#pragma unroll
    for (int n = 0; n < Columns; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            sums[n][i] += parts[n][i];
    }
}

/// Adds such a product over eight steps.
template <int Columns> __device__ __forceinline__ void multiply(float (*sums)[4], const LeftFragment& a, const RightFragment (&b)[Columns]) {
    float parts[Columns][4];
    multiply_alone<false>(parts, reinterpret_cast<const LeftFragment (&)[1]>(a), reinterpret_cast<const RightFragment (&)[1][Columns]>(b));
    add(sums, parts);
}

/// The row and the column of element i of a fragment, for this lane.
__device__ __forceinline__ int fragment_row(int i) { return lane() / 4 + i / 2 * 8; }
__device__ __forceinline__ int fragment_column(int i) { return lane() % 4 * 2 + i % 2; }

/// A factor in global memory: `lines` of them, from `data` on. `scales`, a number a step, is for a first factor that is not `Along`, and null otherwise.
struct Factor {
    const float* data;
    i64 stride;
    int lines;
    const float* scales = nullptr;

    /// Whether 16 bytes may be copied at once.
    __device__ __forceinline__ bool wide() const { return (reinterpret_cast<u64>(data) | static_cast<u64>(stride) * sizeof(float)) % 16 == 0; }
};

/// How a block multiplies: tiles of Rows by Columns, warps with RowsOfWarp by ColumnsOfWarp of them each, Depth steps at a time, Stages of which are in
/// shared memory at once; so many Blocks share a multiprocessor.
template <int TileRows, int TileColumns, int WarpRows, int WarpColumns, int StageDepth, int StageCount, int BlockCount> struct ProductPlan {
    static constexpr int Rows = TileRows, Columns = TileColumns, RowsOfWarp = WarpRows, ColumnsOfWarp = WarpColumns, Depth = StageDepth, Stages = StageCount;
    static constexpr int Blocks = BlockCount;
    static constexpr int WarpsAcross = Columns / ColumnsOfWarp, Threads = Rows / RowsOfWarp * WarpsAcross * WarpSize;
    static constexpr int Fragments = RowsOfWarp / 16, ColumnFragments = ColumnsOfWarp / 8;

    template <bool Along> static constexpr int stride(int lines) { return Along ? Depth + 4 : lines + 8; }
    template <bool Along> static constexpr int floats(int lines) { return Along ? lines * stride<true>(lines) : Depth * stride<false>(lines); }
    /// What the launch asks for: the larger of both layouts, for each factor.
    static constexpr int larger(int a, int b) { return a > b ? a : b; }
    static constexpr int StageFloats = larger(floats<true>(Rows), floats<false>(Rows)) + larger(floats<true>(Columns), floats<false>(Columns));
    static constexpr int SharedBytes = Stages * StageFloats * static_cast<int>(sizeof(float));
};

/// The two plans of the host side's ProductPlan: kernels end in "_large" and "_small".
using LargeProduct = ProductPlan<128, 64, 64, 32, 16, 4, 3>;
using SmallProduct = ProductPlan<64, 64, 32, 32, 16, 4, 3>;

/// Asks for `Depth` steps from `first` on of the lines from `line` on; what there is not, is zero.
template <class Plan, bool Along, int Lines>
__device__ __forceinline__ void copy_stage(float* shared, const Factor& factor, bool wide, int line, int first, int end) {
    constexpr int Across = Along ? Plan::Depth : Lines, Pieces = Plan::Depth * Lines / 4, Stride = Plan::template stride<Along>(Lines);
    static_assert(Pieces % Plan::Threads == 0 && Plan::Threads % (Across / 4) == 0, "each thread copies as much");
    const int c = threadIdx.x % (Across / 4) * 4, d = threadIdx.x / (Across / 4);
    const int left = Along ? end - first - c : factor.lines - line - c;   // numbers that there are from here on in this direction
    const int down = Along ? factor.lines - line : end - first;
    const float* from = factor.data + static_cast<i64>(Along ? line + d : first + d) * factor.stride + (Along ? first : line) + c;
    const i64 step = factor.stride * (Plan::Threads / (Across / 4));
    float* to = shared + d * Stride + c;
#pragma unroll
    for (int p = 0; p < Pieces / Plan::Threads; p++) {
        const int row = p * (Plan::Threads / (Across / 4));
        const int valid = d + row < down ? min(4, max(0, left)) : 0;
        const float* source = valid > 0 ? from + p * step : factor.data;
        if (wide) {
            copy_async_16(to + row * Stride, source, 4 * valid);
        } else {
#pragma unroll
            for (int e = 0; e < 4; e++)
                copy_async_4(to + row * Stride + e, e < valid ? source + e : factor.data, e < valid);
        }
    }
}

/// The tile of this block, of `down` by `across` of them: eight rows of tiles go through all columns before the next eight do, so that blocks that run
/// at once share what they read.
struct ProductTile {
    int row, column;

    __device__ ProductTile(int down, int across) {
        constexpr int Band = 8;
        const int number = blockIdx.x, band = number / (Band * across), height = min(Band, down - band * Band), inside = number - band * Band * across;
        row = band * Band + inside % height;
        column = inside / height;
    }
};

struct alignas(8) Pair {
    float first, second;
};

/// One warp's part of the block's product; rows and columns are counted in the whole matrix.
template <class Plan> struct ProductSums {
    float sums[Plan::Fragments][Plan::ColumnFragments][4];
    int first_row, first_column;

    /// f(row, column, sum) for each of them; sums may be changed.
    template <class F> __device__ __forceinline__ void each(F f) {
#pragma unroll
        for (int m = 0; m < Plan::Fragments; m++) {
#pragma unroll
            for (int n = 0; n < Plan::ColumnFragments; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++)
                    f(first_row + m * 16 + fragment_row(i), first_column + n * 8 + fragment_column(i), sums[m][n][i]);
            }
        }
    }

    /// What this lane has of a row.
    struct Row {
        static constexpr int Count = 2 * Plan::ColumnFragments;
        ProductSums& owner;
        int m, half;

        __device__ __forceinline__ int column(int c) const { return owner.first_column + c / 2 * 8 + lane() % 4 * 2 + c % 2; }
        __device__ __forceinline__ float& operator[](int c) { return owner.sums[m][c / 2][2 * half + c % 2]; }

        /// To `to`, the row's start in memory, two at once where they lie at an even address.
        __device__ __forceinline__ void store(float* to, int columns) {
            const bool pairs = reinterpret_cast<u64>(to) % 8 == 0;
#pragma unroll
            for (int c = 0; c < Count; c += 2) {
                const int at = column(c);
                if (pairs && at + 1 < columns) {
                    *reinterpret_cast<Pair*>(to + at) = {(*this)[c], (*this)[c + 1]};
                } else {
                    if (at < columns)
                        to[at] = (*this)[c];
                    if (at + 1 < columns)
                        to[at + 1] = (*this)[c + 1];
                }
            }
        }
    };

    /// f(row, Row) for each row of which this lane has some.
    template <class F> __device__ __forceinline__ void each_row(F f) {
#pragma unroll
        for (int m = 0; m < Plan::Fragments; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++)
                f(first_row + m * 16 + fragment_row(2 * half), Row{*this, m, half});
        }
    }
};

/// Σ_k a(row, k) b(column, k) for k from `begin` to `end`, of the block's tile. All threads of the block call it; shared memory is free afterwards.
/// `ExactB` says that the second factor's numbers are tf32 as they are. Steps of the first factor are multiplied by its scales where it has any.
template <class Plan, bool AlongA, bool AlongB, bool ExactB = false>
__device__ __forceinline__ void product(ProductSums<Plan>& result, const Factor& a, const Factor& b, ProductTile tile, int begin, int end) {
    constexpr int StrideA = Plan::template stride<AlongA>(Plan::Rows), StrideB = Plan::template stride<AlongB>(Plan::Columns);
    constexpr int Together = 2;   // multiplications between two additions in float32
    static_assert(Plan::Depth % (Together * ProductStep) == 0, "whole ones");
    constexpr int OffsetB = Plan::template floats<AlongA>(Plan::Rows), StageFloats = OffsetB + Plan::template floats<AlongB>(Plan::Columns);
    float* shared = dynamic_shared<float>();
    const int warp = threadIdx.x / WarpSize, own_row = warp / Plan::WarpsAcross * Plan::RowsOfWarp, own_column = warp % Plan::WarpsAcross * Plan::ColumnsOfWarp;
    const int row = tile.row * Plan::Rows, column = tile.column * Plan::Columns;
    const bool whole = begin % 4 == 0, wide_a = a.wide() && (!AlongA || whole), wide_b = b.wide() && (!AlongB || whole);
    result.first_row = row + own_row;
    result.first_column = column + own_column;
    const bool needed = result.first_row < a.lines && result.first_column < b.lines;
#pragma unroll
    for (int m = 0; m < Plan::Fragments; m++) {
#pragma unroll
        for (int n = 0; n < Plan::ColumnFragments; n++) {
#pragma unroll
            for (int i = 0; i < 4; i++)
                result.sums[m][n][i] = 0;
        }
    }
    const auto ask = [&](int stage, int first) {
        if (first < end) {
            copy_stage<Plan, AlongA, Plan::Rows>(shared + stage * StageFloats, a, wide_a, row, first, end);
            copy_stage<Plan, AlongB, Plan::Columns>(shared + stage * StageFloats + OffsetB, b, wide_b, column, first, end);
        }
        copy_commit();
    };
#pragma unroll
    for (int stage = 0; stage < Plan::Stages - 1; stage++)
        ask(stage, begin + stage * Plan::Depth);
    int stage = 0, asked = Plan::Stages - 1;
    for (int first = begin; first < end; first += Plan::Depth) {
        copy_wait<Plan::Stages - 2>();
        __syncthreads();   // the stage is there, and the one before it has been read
        ask(asked, first + (Plan::Stages - 1) * Plan::Depth);
        if (needed) {
            const float* left = shared + stage * StageFloats + (AlongA ? own_row * StrideA : own_row);
            const float* right = shared + stage * StageFloats + OffsetB + (AlongB ? own_column * StrideB : own_column);
#pragma unroll
            for (int k = 0; k < Plan::Depth; k += Together * ProductStep) {
                RightFragment columns[Together][Plan::ColumnFragments];
                float scale[Together][2];
                u32 bits[Together][4];
#pragma unroll
                for (int s = 0; s < Together; s++) {
                    const int at = k + s * ProductStep, step = first + at + lane() % 4;
                    RightFragment::load<AlongB>(columns[s], right + (AlongB ? at : at * StrideB), StrideB);
                    LeftFragment::read<AlongA>(bits[s], left + (AlongA ? at : at * StrideA), StrideA);
#pragma unroll
                    for (int half = 0; half < 2; half++)
                        scale[s][half] = AlongA || !a.scales ? 1 : step + 4 * half < end ? a.scales[step + 4 * half] : 0;
                }
                // What is multiplied is added one fragment later, and what comes next is read one earlier: neither is waited for.
                float parts[2][Plan::ColumnFragments][4];
#pragma unroll
                for (int m = 0; m < Plan::Fragments; m++) {
                    LeftFragment rows[Together];
#pragma unroll
                    for (int s = 0; s < Together; s++) {
                        if (!AlongA && a.scales)
                            rows[s].split(bits[s], scale[s]);
                        else
                            rows[s].split(bits[s]);
                        if (m + 1 < Plan::Fragments) {
                            const int at = k + s * ProductStep, line = (m + 1) * 16;
                            LeftFragment::read<AlongA>(bits[s], left + (AlongA ? at + line * StrideA : at * StrideA + line), StrideA);
                        }
                    }
                    multiply_alone<ExactB>(parts[m % 2], rows, columns);
                    if (m > 0)
                        add(result.sums[m - 1], parts[(m - 1) % 2]);
                }
                add(result.sums[Plan::Fragments - 1], parts[(Plan::Fragments - 1) % 2]);
            }
        }
        stage = stage + 1 < Plan::Stages ? stage + 1 : 0;
        asked = asked + 1 < Plan::Stages ? asked + 1 : 0;
    }
    copy_wait<0>();
    __syncthreads();
}

}
