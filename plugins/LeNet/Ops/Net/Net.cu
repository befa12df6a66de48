// The whole net of 1989 in one block of threads, parameters and everything of an image in shared memory (README.md). The op's kernels run one
// image after the other in each block; `lenet1989_step` whole training steps, one after the other, in a single block.
#include "zoo.cuh"

using namespace zoo;

constexpr int Threads = 256;
constexpr int Planes = 12, Taps = 25, Seen = 8;
constexpr int ImageSide = 16, Image = ImageSide * ImageSide, PaddedSide = 20, Padded = PaddedSide * PaddedSide;
constexpr int H1Side = 8, H1Units = 64, H1All = Planes * H1Units, PaddedH1Side = 12, PaddedH1 = PaddedH1Side * PaddedH1Side;
constexpr int H2Side = 4, H2Units = 16, H2All = Planes * H2Units, H3All = 30, Outputs = 10;
constexpr int H3Parts = 8;

// Parameters in the checkpoint's order and shapes.
constexpr int H1w = 0, H1b = H1w + Planes * Taps, H2w = H1b + H1All, H2b = H2w + Planes * Seen * Taps, H3w = H2b + H2All;
constexpr int H3b = H3w + H2All * H3All, Ow = H3b + H3All, Ob = Ow + H3All * Outputs, Length = Ob + Outputs;

/// First H1 plane of each half (four planes) of what a group of four H2 planes sees.
__device__ __forceinline__ int seen_from(int group, int half) { return group == 0 ? 4 * half : group == 1 ? 4 + 4 * half : 8 * half; }

/// Which of the ladder's nets, as far as the arithmetic goes.
struct Form {
    int relu, tanh_outputs;
    float hidden_border;

    __device__ float activate(float x) const { return relu ? (x > 0 || x != x ? x : 0) : tanhf(x); }

    /// The derivative, from the value y alone.
    __device__ float slope(float y) const { return relu ? (y > 0 ? 1 : 0) : 1 - y * y; }
};

/// Shared memory of the block.
struct Net {
    float p[Length], g[Length];
    float image[Padded], h1[Planes * PaddedH1], h2[H2All], kept[H2All], h3[H3All], scores[Outputs];
    float d_h1[H1All], d_h2[H2All], d_h3[H3All], d_scores[Outputs], parts[H3Parts * H3All];

    __device__ void start(const float* parameters, Form form) {
        for (int i = threadIdx.x; i < Length; i += Threads) {
            p[i] = parameters[i];
            g[i] = 0;
        }
        for (int i = threadIdx.x; i < Padded; i += Threads)
            image[i] = -1;
        for (int i = threadIdx.x; i < Planes * PaddedH1; i += Threads)
            h1[i] = form.hidden_border;
        for (int i = threadIdx.x; i < H2All; i += Threads)
            kept[i] = 1;
        __syncthreads();
    }

    __device__ static int inside_h1(int unit) {
        const int plane = unit / H1Units, y = unit % H1Units / H1Side, x = unit % H1Side;
        return plane * PaddedH1 + (y + 2) * PaddedH1Side + x + 2;
    }

    /// From an image to `scores`. `factors`, of dropout, may be null.
    __device__ void forward(const float* x, const float* factors, Form form) {
        const int t = threadIdx.x;
        image[(t / ImageSide + 2) * PaddedSide + t % ImageSide + 2] = __ldg(x + t);
        if (factors && t < H2All)
            kept[t] = __ldg(factors + t);
        __syncthreads();
        for (int unit = t; unit < H1All; unit += Threads) {
            const float* w = p + H1w + unit / H1Units * Taps;
            const float* corner = image + 2 * (unit % H1Units / H1Side) * PaddedSide + 2 * (unit % H1Side);
            float sum = p[H1b + unit];
            for (int tap = 0; tap < Taps; tap++)
                sum = fmaf(w[tap], corner[tap / 5 * PaddedSide + tap % 5], sum);
            h1[inside_h1(unit)] = form.activate(sum);
        }
        __syncthreads();
        if (t < H2All) {
            const int plane = t / H2Units, corner = 2 * (t % H2Units / H2Side) * PaddedH1Side + 2 * (t % H2Side);
            float sum = p[H2b + t];
            for (int s = 0; s < Seen; s++) {
                const float* w = p + H2w + (plane * Seen + s) * Taps;
                const float* from = h1 + (seen_from(plane / 4, s / 4) + s % 4) * PaddedH1 + corner;
                for (int tap = 0; tap < Taps; tap++)
                    sum = fmaf(w[tap], from[tap / 5 * PaddedH1Side + tap % 5], sum);
            }
            h2[t] = form.activate(sum);
        }
        __syncthreads();
        if (t < H3Parts * H3All) {
            const int first = t / H3All * (H2All / H3Parts), unit = t % H3All;
            float sum = 0;
            for (int i = first; i < first + H2All / H3Parts; i++)
                sum = fmaf(h2[i] * kept[i], p[H3w + i * H3All + unit], sum);
            parts[t] = sum;
        }
        __syncthreads();
        if (t < H3All) {
            float sum = p[H3b + t];
            for (int part = 0; part < H3Parts; part++)
                sum += parts[part * H3All + t];
            h3[t] = form.activate(sum);
        }
        __syncthreads();
        if (t < Outputs) {
            float sum = p[Ob + t];
            for (int j = 0; j < H3All; j++)
                sum = fmaf(h3[j], p[Ow + j * Outputs + t], sum);
            scores[t] = form.tanh_outputs ? tanhf(sum) : sum;
        }
        __syncthreads();
    }

    /// From `d_scores`, each written by its own thread below Outputs, back to the parameters: added to `g`. `grad_x` may be null.
    __device__ void backward(float* grad_x, Form form) {
        const int t = threadIdx.x;
        if (t < Outputs && form.tanh_outputs)
            d_scores[t] *= 1 - scores[t] * scores[t];
        __syncthreads();
        for (int i = t; i < H3All * Outputs; i += Threads)
            g[Ow + i] += h3[i / Outputs] * d_scores[i % Outputs];
        if (t < Outputs)
            g[Ob + t] += d_scores[t];
        if (t < H3All) {
            float sum = 0;
            for (int k = 0; k < Outputs; k++)
                sum = fmaf(p[Ow + t * Outputs + k], d_scores[k], sum);
            sum *= form.slope(h3[t]);
            d_h3[t] = sum;
            g[H3b + t] += sum;
        }
        __syncthreads();
        for (int i = t; i < H2All * H3All; i += Threads)
            g[H3w + i] += h2[i / H3All] * kept[i / H3All] * d_h3[i % H3All];
        if (t < H2All) {
            float sum = 0;
            for (int j = 0; j < H3All; j++)
                sum = fmaf(p[H3w + t * H3All + j], d_h3[j], sum);
            sum *= kept[t] * form.slope(h2[t]);
            d_h2[t] = sum;
            g[H2b + t] += sum;
        }
        __syncthreads();
        for (int i = t; i < Planes * Seen * Taps; i += Threads) {
            const int plane = i / (Seen * Taps), s = i / Taps % Seen, tap = i % Taps;
            const float* from = h1 + (seen_from(plane / 4, s / 4) + s % 4) * PaddedH1 + tap / 5 * PaddedH1Side + tap % 5;
            float sum = 0;
            for (int unit = 0; unit < H2Units; unit++)
                sum = fmaf(d_h2[plane * H2Units + unit], from[2 * (unit / H2Side) * PaddedH1Side + 2 * (unit % H2Side)], sum);
            g[H2w + i] += sum;
        }
        for (int unit = t; unit < H1All; unit += Threads) {
            const int plane = unit / H1Units, y = unit % H1Units / H1Side + 2, x = unit % H1Side + 2;
            float sum = 0;
            for (int half = 0; half < 6; half++) {
                const int group = half / 2, first = seen_from(group, half % 2);
                if (plane / 4 * 4 != first)
                    continue;
                const int s = half % 2 * 4 + plane % 4;
                for (int to = group * 4; to < group * 4 + 4; to++)
                    sum += through<H2Side>(p + H2w + (to * Seen + s) * Taps, d_h2 + to * H2Units, y, x);
            }
            sum *= form.slope(h1[inside_h1(unit)]);
            d_h1[unit] = sum;
            g[H1b + unit] += sum;
        }
        __syncthreads();
        for (int i = t; i < Planes * Taps; i += Threads) {
            const int plane = i / Taps, tap = i % Taps;
            const float* from = image + tap / 5 * PaddedSide + tap % 5;
            float sum = 0;
            for (int unit = 0; unit < H1Units; unit++)
                sum = fmaf(d_h1[plane * H1Units + unit], from[2 * (unit / H1Side) * PaddedSide + 2 * (unit % H1Side)], sum);
            g[H1w + i] += sum;
        }
        if (grad_x) {
            float sum = 0;
            for (int plane = 0; plane < Planes; plane++)
                sum += through<H1Side>(p + H1w + plane * Taps, d_h1 + plane * H1Units, t / ImageSide + 2, t % ImageSide + 2);
            grad_x[t] = sum;
        }
        __syncthreads();
    }

    /// What a plane of units gives back to the place (y, x) of the padded plane below.
    template <int Side> __device__ static float through(const float* w, const float* d, int y, int x) {
        float sum = 0;
        for (int ky = y % 2; ky < 5; ky += 2) {
            const int uy = (y - ky) / 2;
            if (y < ky || uy >= Side)
                continue;
            for (int kx = x % 2; kx < 5; kx += 2) {
                const int ux = (x - kx) / 2;
                if (x >= kx && ux < Side)
                    sum = fmaf(w[ky * 5 + kx], d[uy * Side + ux], sum);
            }
        }
        return sum;
    }
};

/// The shared memory that a launch asks for, written where the host side can be held to it.
static_assert(sizeof(Net) == 93248, "NetLaunch.SharedBytes");

/// The eight arrays as one, in the order of the parameters above.
extern "C" __global__ void lenet1989_pack(
    const float* h1w, const float* h1b, const float* h2w, const float* h2b, const float* h3w, const float* h3b, const float* ow, const float* ob,
    float* all) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < Length)
        all[i] = i < H1b ? h1w[i] : i < H2w ? h1b[i - H1b] : i < H2b ? h2w[i - H2w] : i < H3w ? h2b[i - H2b] : i < H3b ? h3w[i - H3w]
            : i < Ow ? h3b[i - H3b] : i < Ob ? ow[i - Ow] : ob[i - Ob];
}

/// The sum of `count` blocks' gradients, in the order of the blocks, to the eight arrays; null where one is not wanted.
extern "C" __global__ void lenet1989_unpack(
    const float* parts, int count, float* h1w, float* h1b, float* h2w, float* h2b, float* h3w, float* h3b, float* ow, float* ob) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= Length)
        return;
    float* to = i < H1b ? h1w : i < H2w ? h1b : i < H2b ? h2w : i < H3w ? h2b : i < H3b ? h3w : i < Ow ? h3b : i < Ob ? ow : ob;
    const int first = i < H1b ? H1w : i < H2w ? H1b : i < H2b ? H2w : i < H3w ? H2b : i < H3b ? H3w : i < Ow ? H3b : i < Ob ? Ow : Ob;
    if (!to)
        return;
    float sum = 0;
    for (int b = 0; b < count; b++)
        sum += parts[static_cast<i64>(b) * Length + i];
    to[i - first] = sum;
}

extern "C" __global__ void __launch_bounds__(Threads) lenet1989_forward(
    const float* parameters, const float* x, const float* kept, float* logits, int batch, int relu, int tanh_outputs, float hidden_border) {
    Net& net = *dynamic_shared<Net>();
    const Form form = {relu, tanh_outputs, hidden_border};
    net.start(parameters, form);
    for (i64 b = blockIdx.x; b < batch; b += gridDim.x) {
        net.forward(x + b * Image, kept ? kept + b * H2All : nullptr, form);
        if (threadIdx.x < Outputs)
            logits[b * Outputs + threadIdx.x] = net.scores[threadIdx.x];
        __syncthreads();
    }
}

/// Each block's sum of its images' gradients to its place in `parts`.
extern "C" __global__ void __launch_bounds__(Threads) lenet1989_backward(
    const float* parameters, const float* x, const float* kept, const float* grad_logits, float* grad_x, float* parts,
    int batch, int relu, int tanh_outputs, float hidden_border) {
    Net& net = *dynamic_shared<Net>();
    const Form form = {relu, tanh_outputs, hidden_border};
    net.start(parameters, form);
    for (i64 b = blockIdx.x; b < batch; b += gridDim.x) {
        net.forward(x + b * Image, kept ? kept + b * H2All : nullptr, form);
        if (threadIdx.x < Outputs)
            net.d_scores[threadIdx.x] = __ldg(grad_logits + b * Outputs + threadIdx.x);
        net.backward(grad_x ? grad_x + b * Image : nullptr, form);
    }
    for (int i = threadIdx.x; i < Length; i += Threads)
        parts[static_cast<i64>(blockIdx.x) * Length + i] = net.g[i];
}

/// Whole steps of SGD on the mean squared error, examples in order: b = momentum b + gradient + decay p, p -= rate b. One block; `momentum_buffer`
/// is null without momentum.
extern "C" __global__ void __launch_bounds__(Threads) lenet1989_steps(
    float* parameters, float* momentum_buffer, const float* x, const i64* labels, const float* rates, float* losses,
    int steps, int batch, float momentum, float decay, int relu, int tanh_outputs, float hidden_border) {
    Net& net = *dynamic_shared<Net>();
    const Form form = {relu, tanh_outputs, hidden_border};
    const int t = threadIdx.x;
    net.start(parameters, form);
    for (int step = 0; step < steps; step++) {
        float loss = 0;
        for (int b = 0; b < batch; b++) {
            const i64 example = static_cast<i64>(step) * batch + b;
            net.forward(x + example * Image, nullptr, form);
            const i64 label = labels[example];
            if (t == 0) {
                float sum = 0;
                for (int k = 0; k < Outputs; k++) {
                    const float error = net.scores[k] - (k == label ? 1 : -1);
                    sum = fmaf(error, error, sum);
                }
                loss += sum / Outputs;
            }
            if (t < Outputs)
                net.d_scores[t] = (net.scores[t] - (t == label ? 1 : -1)) * (2.f / Outputs / batch);
            net.backward(nullptr, form);
        }
        if (t == 0)
            losses[step] = loss / batch;
        const float rate = rates[step];
        for (int i = t; i < Length; i += Threads) {
            float direction = fmaf(decay, net.p[i], net.g[i]);
            if (momentum_buffer) {
                direction = fmaf(momentum, momentum_buffer[i], direction);
                momentum_buffer[i] = direction;
            }
            net.p[i] = fmaf(-rate, direction, net.p[i]);
            net.g[i] = 0;
        }
        __syncthreads();
    }
    for (int i = t; i < Length; i += Threads)
        parameters[i] = net.p[i];
}
