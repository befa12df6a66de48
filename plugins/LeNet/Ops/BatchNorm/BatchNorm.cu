// Batch normalisation over [batch, channel, element] and its backward (README.md). A block has one channel, or, where a channel has one element
// an image, 32 neighbouring ones: threads in x are elements or channels, in y images. Images are cut into slices where channels alone would not
// fill the card: `sums` reduces each slice, the next kernel folds slices in their order, and `apply` writes what is as large as x.
// Sums are float64, as on the CPU; what is large is written by float arithmetic on x - mean, in which nothing cancels.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr int ChannelsOfBlock = 32;

/// Two sums of a channel.
struct Pair {
    double first, second;
};

/// This thread's part of a slice of a channel.
struct Part {
    i64 image, end, element, elements, channels;
    int channel, images_at_once, elements_at_once;
    bool columns, inside;

    __device__ Part(i64 batch, int channels, i64 elements, i64 slice_images) : elements(elements), channels(channels) {
        columns = elements == 1;
        channel = columns ? blockIdx.x * ChannelsOfBlock + threadIdx.x : blockIdx.x;
        inside = channel < channels;
        const i64 first = blockIdx.y * slice_images;
        image = first + threadIdx.y;
        end = first + slice_images < batch ? first + slice_images : batch;
        element = columns ? 0 : threadIdx.x;
        images_at_once = blockDim.y;
        elements_at_once = columns ? 1 : blockDim.x;
    }

    /// Calls `visit` with the place of each of this thread's values.
    template <class F> __device__ void each(F visit) const {
        if (!inside)
            return;
        for (i64 i = image; i < end; i += images_at_once) {
            const i64 row = (i * channels + channel) * elements;
            for (i64 e = element; e < elements; e += elements_at_once)
                visit(row + e);
        }
    }

    /// Adds up over the threads of each channel, in a fixed order, into the slice's place.
    __device__ void store(Pair sum, Pair* slices) const {
        if (columns) {
            __shared__ Pair parts[Threads];
            parts[thread_number()] = sum;
            __syncthreads();
            if (threadIdx.y != 0)
                return;
            for (int y = 1; y < Threads / ChannelsOfBlock; y++) {
                const Pair other = parts[y * ChannelsOfBlock + threadIdx.x];
                sum = {sum.first + other.first, sum.second + other.second};
            }
            if (inside)
                slices[static_cast<i64>(blockIdx.y) * channels + channel] = sum;
            return;
        }
        sum = {block_sum<Threads>(sum.first), block_sum<Threads>(sum.second)};
        if (thread_number() == 0)
            slices[static_cast<i64>(blockIdx.y) * channels + channel] = sum;
    }
};

__device__ Pair fold(const Pair* slices, int channel, int channels, int count) {
    Pair sum = {0, 0};
    for (int s = 0; s < count; s++) {
        const Pair slice = slices[static_cast<i64>(s) * channels + channel];
        sum = {sum.first + slice.first, sum.second + slice.second};
    }
    return sum;
}

/// A float64 as the float nearest to it and what that leaves.
struct Split {
    float high, low;

    __device__ explicit Split(double value) : high(static_cast<float>(value)), low(static_cast<float>(value - high)) {}

    /// x minus it.
    __device__ float from(float x) const { return x - high - low; }
};

/// Σ (x - x₀) and Σ (x - x₀)², x₀ the channel's first value: nothing cancels whatever the mean.
extern "C" __global__ void __launch_bounds__(Threads) batch_norm_forward_sums(
    const float* x, Pair* slices, i64 batch, int channels, i64 elements, i64 slice_images) {
    const Part part(batch, channels, elements, slice_images);
    const double shift = part.inside ? __ldg(x + part.channel * elements) : 0;
    Pair sum = {0, 0};
    part.each([&](i64 at) {
        const double d = __ldg(x + at) - shift;
        sum = {sum.first + d, sum.second + d * d};
    });
    part.store(sum, slices);
}

/// Mean and variance of each channel, and in `statistics` mean and 1 / √(variance + ε). `slices` is null outside training.
extern "C" __global__ void batch_norm_statistics(
    const float* x, const Pair* slices, const float* running_mean, const float* running_var, float* mean, float* var, double* statistics,
    i64 batch, int channels, i64 elements, int slice_count, float eps) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= channels)
        return;
    double m, v;
    if (slices) {
        const Pair sum = fold(slices, channel, channels, slice_count);
        const double share = 1.0 / (static_cast<double>(batch) * elements), offset = sum.first * share;
        m = x[channel * elements] + offset;
        v = sum.second * share - offset * offset;
        v = v < 0 ? 0 : v;
    } else {
        m = running_mean[channel];
        v = running_var[channel];
    }
    mean[channel] = static_cast<float>(m);
    var[channel] = static_cast<float>(v);
    statistics[channel] = m;
    statistics[channels + channel] = 1 / sqrt(v + eps);
}

extern "C" __global__ void __launch_bounds__(Threads) batch_norm_forward_apply(
    const float* __restrict__ x, const float* weight, const float* bias, const double* statistics, float* __restrict__ y,
    i64 batch, int channels, i64 elements, i64 slice_images) {
    const Part part(batch, channels, elements, slice_images);
    if (!part.inside)
        return;
    const Split mean(statistics[part.channel]);
    const float scale = static_cast<float>(statistics[channels + part.channel] * (weight ? weight[part.channel] : 1));
    const float offset = bias ? bias[part.channel] : 0;
    part.each([&](i64 at) { y[at] = fmaf(mean.from(__ldg(x + at)), scale, offset); });
}

/// Σ g and Σ g (x - μ).
extern "C" __global__ void __launch_bounds__(Threads) batch_norm_backward_sums(
    const float* x, const float* g, const double* statistics, Pair* slices, i64 batch, int channels, i64 elements, i64 slice_images) {
    const Part part(batch, channels, elements, slice_images);
    const double mean = part.inside ? statistics[part.channel] : 0;
    Pair sum = {0, 0};
    part.each([&](i64 at) {
        const double gradient = __ldg(g + at);
        sum = {sum.first + gradient, sum.second + gradient * (__ldg(x + at) - mean)};
    });
    part.store(sum, slices);
}

/// Gradients of weight and bias, and in `factors` [3, channel] what `apply` multiplies g and x - μ with and adds.
extern "C" __global__ void batch_norm_backward_factors(
    const Pair* slices, const float* weight, const double* statistics, float* grad_weight, float* grad_bias, float* factors,
    i64 batch, int channels, i64 elements, int slice_count, int training) {
    const int channel = blockIdx.x * blockDim.x + threadIdx.x;
    if (channel >= channels)
        return;
    const double rate = statistics[channels + channel], a = rate * (weight ? weight[channel] : 1);
    double b = 0, c = 0;
    if (slices) {
        const Pair sum = fold(slices, channel, channels, slice_count);
        const double product = sum.second * rate;   // Σ g x̂
        if (grad_bias)
            grad_bias[channel] = static_cast<float>(sum.first);
        if (grad_weight)
            grad_weight[channel] = static_cast<float>(product);
        if (training) {
            const double share = -a / (static_cast<double>(batch) * elements);
            b = share * rate * product;
            c = share * sum.first;
        }
    }
    factors[channel] = static_cast<float>(a);
    factors[channels + channel] = static_cast<float>(b);
    factors[2 * static_cast<i64>(channels) + channel] = static_cast<float>(c);
}

extern "C" __global__ void __launch_bounds__(Threads) batch_norm_backward_apply(
    const float* __restrict__ x, const float* __restrict__ g, const double* statistics, const float* factors, float* __restrict__ grad_x,
    i64 batch, int channels, i64 elements, i64 slice_images) {
    const Part part(batch, channels, elements, slice_images);
    if (!part.inside)
        return;
    const Split mean(statistics[part.channel]);
    const float a = factors[part.channel], b = factors[channels + part.channel], c = factors[2 * static_cast<i64>(channels) + part.channel];
    part.each([&](i64 at) { grad_x[at] = fmaf(a, __ldg(g + at), fmaf(b, mean.from(__ldg(x + at)), c)); });
}
