// Products of product.cuh for ProductTests, the factors lying either way.
#include "product.cuh"

using namespace zoo;

template <class Plan, bool AlongA, bool AlongB> __device__ void run(const float* a, const float* b, float* c, int rows, int columns, int steps, int slice) {
    const ProductTile tile((rows + Plan::Rows - 1) / Plan::Rows, (columns + Plan::Columns - 1) / Plan::Columns);
    const int begin = blockIdx.y * slice;
    ProductSums<Plan> sums;
    product<Plan, AlongA, AlongB>(
        sums, {a, AlongA ? steps : rows, rows}, {b, AlongB ? steps : columns, columns}, tile, begin, min(steps, begin + slice));
    c += blockIdx.y * static_cast<i64>(rows) * columns;
    sums.each_row([&](int row, auto sum) {
        if (row < rows)
            sum.store(c + static_cast<i64>(row) * columns, columns);
    });
}

#define PRODUCT(name, along_a, along_b)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(LargeProduct::Threads, LargeProduct::Blocks) name##_large(                                   \
        const float* a, const float* b, float* c, int rows, int columns, int steps, int slice) {                                              \
        run<LargeProduct, along_a, along_b>(a, b, c, rows, columns, steps, slice);                                                            \
    }                                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(SmallProduct::Threads, SmallProduct::Blocks) name##_small(                                   \
        const float* a, const float* b, float* c, int rows, int columns, int steps, int slice) {                                              \
        run<SmallProduct, along_a, along_b>(a, b, c, rows, columns, steps, slice);                                                            \
    }

PRODUCT(product_rows_rows, true, true)
PRODUCT(product_rows_columns, true, false)
PRODUCT(product_columns_rows, false, true)
PRODUCT(product_columns_columns, false, false)

extern "C" __global__ void split_numbers(const float* x, float* high, float* low, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count)
        return;
    u32 parts[2];
    split_tf32(x[i], parts[0], parts[1]);
    high[i] = __uint_as_float(parts[0]);
    low[i] = __uint_as_float(parts[1] & 0xFFFFE000);   // as a multiplication reads it
}
