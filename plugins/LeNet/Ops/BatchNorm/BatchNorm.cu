// Batch normalisation over [batch, channel, element] and its backward (README.md). A block has one channel, or, where a channel has one element
// an image, 32 neighbouring ones: threads in x are elements or channels, in y images. Images are cut into slices where channels alone would not
// fill the card: `sums` reduces each slice; then each block of `apply` folds the slices of its channels, always in the same order, and writes what is as
// large as x. The first slice's blocks write what there is one of a channel.
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

/// All slices' sums of this thread's channel, by the whole block.
__device__ Pair fold(const Part& part, const Pair* slices, int count) {
    Pair sum = {0, 0};
    const int own = part.columns ? threadIdx.y : thread_number(), step = part.columns ? blockDim.y : Threads;
    for (int s = own; s < count && part.inside; s += step) {
        const Pair slice = slices[s * part.channels + part.channel];
        sum = {sum.first + slice.first, sum.second + slice.second};
    }
    if (!part.columns)
        return {block_sum<Threads>(sum.first), block_sum<Threads>(sum.second)};
    __shared__ Pair parts[Threads];
    parts[thread_number()] = sum;
    __syncthreads();
    sum = parts[threadIdx.x];
    for (int y = 1; y < Threads / ChannelsOfBlock; y++) {
        const Pair other = parts[y * ChannelsOfBlock + threadIdx.x];
        sum = {sum.first + other.first, sum.second + other.second};
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

/// y; mean and variance of each channel, and in `statistics`, which may be null, mean and 1 / √(variance + ε). `slices` is null outside training.
extern "C" __global__ void __launch_bounds__(Threads) batch_norm_forward_apply(
    const float* __restrict__ x, const Pair* slices, const float* running_mean, const float* running_var, const float* weight, const float* bias,
    float* mean, float* var, double* statistics, float* __restrict__ y, i64 batch, int channels, i64 elements, i64 slice_images, int slice_count, float eps) {
    const Part part(batch, channels, elements, slice_images);
    const Pair sum = slices ? fold(part, slices, slice_count) : Pair{0, 0};
    if (!part.inside)
        return;
    double m, v;
    if (slices) {
        const double share = 1.0 / (static_cast<double>(batch) * elements), offset = sum.first * share;
        m = __ldg(x + part.channel * elements) + offset;
        v = sum.second * share - offset * offset;
        v = v < 0 ? 0 : v;
    } else {
        m = running_mean[part.channel];
        v = running_var[part.channel];
    }
    const double rate = 1 / sqrt(v + eps);
    const Split middle(m);
    const float scale = static_cast<float>(rate * (weight ? weight[part.channel] : 1)), offset = bias ? bias[part.channel] : 0;
    part.each([&](i64 at) { y[at] = fmaf(middle.from(__ldg(x + at)), scale, offset); });
    if (blockIdx.y > 0 || threadIdx.y > 0 || (!part.columns && threadIdx.x > 0))
        return;
    mean[part.channel] = static_cast<float>(m);
    var[part.channel] = static_cast<float>(v);
    if (statistics) {
        statistics[part.channel] = m;
        statistics[channels + part.channel] = rate;
    }
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

/// Gradients of x, weight and bias. `slices` is null where no sum is needed.
extern "C" __global__ void __launch_bounds__(Threads) batch_norm_backward_apply(
    const float* __restrict__ x, const float* __restrict__ g, const Pair* slices, const float* weight, const double* statistics,
    float* __restrict__ grad_x, float* grad_weight, float* grad_bias,
    i64 batch, int channels, i64 elements, i64 slice_images, int slice_count, int training) {
    const Part part(batch, channels, elements, slice_images);
    const Pair sum = slices ? fold(part, slices, slice_count) : Pair{0, 0};
    if (!part.inside)
        return;
    const double rate = statistics[channels + part.channel], a = rate * (weight ? weight[part.channel] : 1), product = sum.second * rate;   // Σ g x̂
    if (grad_x) {
        const double share = training ? -a / (static_cast<double>(batch) * elements) : 0;
        const Split mean(statistics[part.channel]);
        const float of_g = static_cast<float>(a), of_x = static_cast<float>(share * rate * product), added = static_cast<float>(share * sum.first);
        part.each([&](i64 at) { grad_x[at] = fmaf(of_g, __ldg(g + at), fmaf(of_x, mean.from(__ldg(x + at)), added)); });
    }
    if (blockIdx.y > 0 || threadIdx.y > 0 || (!part.columns && threadIdx.x > 0))
        return;
    if (grad_bias)
        grad_bias[part.channel] = static_cast<float>(sum.first);
    if (grad_weight)
        grad_weight[part.channel] = static_cast<float>(product);
}
