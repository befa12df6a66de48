// Sums over time that many blocks share: each block writes its piece, and the pieces are added afterwards, in order: the same bits every time.
#pragma once
#include "zoo.cuh"

/// target[i] = Σ_p parts[p, i] for i below `count`; pieces lie `stride` numbers apart. No pieces give zero.
extern "C" __global__ void xlstm_sum_pieces(const float* parts, float* target, int pieces, zoo::i64 stride, zoo::i64 count) {
    const zoo::i64 i = static_cast<zoo::i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    float sum = 0;
    for (int piece = 0; piece < pieces; piece++)
        sum += parts[piece * stride + i];
    target[i] = sum;
}
