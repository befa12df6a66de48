// An optimiser's update of many tensors by one launch (README.md). The list is a table in device memory; tensors are cut into pieces of 4,096
// numbers, and each block takes one piece, whichever tensor it belongs to. The norm is summed in two stages of fixed order and stays on the
// card: the update reads the factor on the gradients from there.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr int PieceLength = 4096;
constexpr float SmallestNormal = 1.17549435e-38f;
constexpr float NormEpsilon = 1e-6f;

/// One tensor of the list; CudaUpdateEntry.cs has the same. What the rule or the call does not have is null.
struct Entry {
    float* value;
    const void* gradient;   // float32, or bfloat16
    float* first;
    float* second;
    bf16* copy;
    i64 count;
    int pieces_before;
    int is_bf16;
    float rate, epsilon, decay, smallest;
};

/// This block's piece: its tensor, and which of its numbers.
struct Piece {
    Entry of;
    i64 first, end;

    /// The tensor is the last one with no more pieces before it.
    __device__ Piece(const Entry* entries, int count) {
        const int piece = blockIdx.x;
        int low = 0, high = count - 1;
        while (low < high) {
            const int middle = (low + high + 1) / 2;
            if (entries[middle].pieces_before <= piece)
                low = middle;
            else
                high = middle - 1;
        }
        of = entries[low];
        first = static_cast<i64>(piece - of.pieces_before) * PieceLength;
        end = first + PieceLength < of.count ? first + PieceLength : of.count;
    }

    __device__ float gradient(i64 i) const {
        return of.is_bf16 ? to_float(static_cast<const bf16*>(of.gradient)[i]) : static_cast<const float*>(of.gradient)[i];
    }

    __device__ void store(i64 i, float value) const {
        of.value[i] = value;
        if (of.copy)
            of.copy[i] = from_float<bf16>(value);
    }
};

/// The sum of the gradient's squares of each piece.
extern "C" __global__ void __launch_bounds__(Threads) update_squares(const Entry* entries, int count, float* sums) {
    const Piece piece(entries, count);
    float sum = 0;
    for (i64 i = piece.first + threadIdx.x; i < piece.end; i += Threads) {
        const float g = piece.gradient(i);
        sum = fmaf(g, g, sum);
    }
    sum = block_sum<Threads>(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

/// The norm, and the factor on gradients that brings it down to `largest`: NaN where the norm is not finite. One block.
extern "C" __global__ void __launch_bounds__(Threads) update_norm(const float* sums, int pieces, float largest, float* norm_and_scale) {
    __shared__ double parts[Threads];
    double sum = 0;
    for (int i = threadIdx.x; i < pieces; i += Threads)
        sum += sums[i];
    parts[threadIdx.x] = sum;
    for (int half = Threads / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            parts[threadIdx.x] += parts[threadIdx.x + half];
    }
    if (threadIdx.x == 0) {
        const float norm = static_cast<float>(sqrt(parts[0]));
        const float scale = largest / (norm + NormEpsilon);
        norm_and_scale[0] = norm;
        norm_and_scale[1] = norm < infinity() ? (scale < 1 ? scale : 1) : not_a_number();
    }
}

/// m ← β1 m + (1-β1) g, v ← β2 v + (1-β2) g², p ← (1 - lr λ) p - rate m / (√v + ε); the bias corrections are in rate and ε.
extern "C" __global__ void __launch_bounds__(Threads) adamw_update(
    const Entry* entries, int count, const float* norm_and_scale, float beta1, float one_minus_beta1, float beta2, float one_minus_beta2) {
    const float scale = norm_and_scale ? norm_and_scale[1] : 1;
    if (scale != scale)
        return;
    const Piece piece(entries, count);
    const Entry& of = piece.of;
    for (i64 i = piece.first + threadIdx.x; i < piece.end; i += Threads) {
        const float g = piece.gradient(i) * scale;
        float m = fmaf(beta1, of.first[i], one_minus_beta1 * g);
        float v = fmaf(beta2, of.second[i], one_minus_beta2 * g * g);
        m = fabsf(m) < SmallestNormal ? 0 : m;   // as on the CPU, where such numbers are slow
        v = v < of.smallest ? 0 : v;
        of.first[i] = m;
        of.second[i] = v;
        piece.store(i, fmaf(of.rate, m / (sqrtf(v) + of.epsilon), of.decay * of.value[i]));
    }
}

/// g ← g + λ p, b ← μ b + g, p ← p - lr b; without a buffer b is g.
extern "C" __global__ void __launch_bounds__(Threads) sgd_update(const Entry* entries, int count, const float* norm_and_scale, float momentum) {
    const float scale = norm_and_scale ? norm_and_scale[1] : 1;
    if (scale != scale)
        return;
    const Piece piece(entries, count);
    const Entry& of = piece.of;
    for (i64 i = piece.first + threadIdx.x; i < piece.end; i += Threads) {
        const float p = of.value[i];
        float b = fmaf(of.decay, p, piece.gradient(i) * scale);
        if (of.first) {
            b = fmaf(momentum, of.first[i], b);
            b = fabsf(b) < SmallestNormal ? 0 : b;
            of.first[i] = b;
        }
        piece.store(i, fmaf(of.rate, b, p));
    }
}

/// For the op, whose output the norm is.
extern "C" __global__ void update_store_norm(const float* norm_and_scale, float* norm) { *norm = norm_and_scale[0]; }
