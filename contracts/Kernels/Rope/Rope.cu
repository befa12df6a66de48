// Pairs of a head's dimensions turned by the angle of their position, a pair a thread; backward turns the other way (README.md).
#include "zoo.cuh"

using namespace zoo;

extern "C" __global__ void rope_turn(
    const float* x, const float* cos, const float* sin, float* y, i64 pairs, int length, int heads, int half, float direction) {
    const i64 pair = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (pair >= pairs)
        return;
    const int i = static_cast<int>(pair % half);
    const i64 head = pair / half, angle = head / heads % length * half + i, at = head * 2 * half + i;
    const float a = x ? x[at] : 0, b = x ? x[at + half] : 0, c = cos[angle], s = sin[angle] * direction;
    y[at] = a * c - b * s;
    y[at + half] = fmaf(b, c, a * s);
}
