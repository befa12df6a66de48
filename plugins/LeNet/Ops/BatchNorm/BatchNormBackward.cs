using System.Runtime.CompilerServices;

namespace Zoo.LeNet;

/// <summary>Gradients of a channel's x, weight and bias; in training x's also through the batch's statistics.</summary>
/// <remarks>
/// With g the gradient of y: ∂bias = Σg, ∂weight = Σ g x̂, and ∂x = γ r (g - [Σg + x̂ Σ g x̂] / n), where r = 1 / √(σ² + ε), x̂ = r (x - μ)
/// and the bracket is there in training only. It is evaluated as a g + b x + c. Null pointers: no weight (1), gradients that are not
/// wanted.
/// </remarks>
internal readonly unsafe struct BatchNormBackward(
    BatchNormSizes sizes, float* x, float* weight, float* g, double* statistics,
    float* gx, float* gWeight, float* gBias, bool training) : IChannelWork
{
    public BatchNormSizes Sizes => sizes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Columns<V>(int channel)
        where V : struct, IWide<V>
    {
        var (mean, rate) = (V.LoadWide(statistics + channel), V.LoadWide(statistics + sizes.Channels + channel));
        V sum = V.Create(0), product = V.Create(0);
        if (training || gWeight != null || gBias != null)
        {
            float* gRow = g + channel, xRow = x + channel;
            for (long i = 0; i < sizes.Batch; i++, gRow += sizes.Channels, xRow += sizes.Channels)
            {
                var gi = V.Load(gRow);
                sum += gi;
                product = V.MultiplyAdd(gi, V.Load(xRow) - mean, product);
            }
        }
        product *= rate;   // Σ g x̂
        if (gBias != null)
            sum.Store(gBias + channel);
        if (gWeight != null)
            product.Store(gWeight + channel);
        if (gx == null)
            return;

        var a = weight != null ? rate * V.Load(weight + channel) : rate;
        V b = V.Create(0), c = V.Create(0);
        if (training)
        {
            var share = a * V.Create(-1.0 / sizes.Batch);
            b = share * rate * product;
            c = share * sum - b * mean;
        }
        float* source = x + channel, gradient = g + channel, target = gx + channel;
        for (long i = 0; i < sizes.Batch; i++, source += sizes.Channels, gradient += sizes.Channels, target += sizes.Channels)
            V.MultiplyAdd(a, V.Load(gradient), V.MultiplyAdd(b, V.Load(source), c)).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Plane<V>(int channel)
        where V : struct, IWide<V>
    {
        var first = channel * sizes.Elements;
        var (mean, rate) = (statistics[channel], statistics[sizes.Channels + channel]);
        var (sum, product) = training || gWeight != null || gBias != null ? PlaneSums<V>(x + first, g + first, mean) : (0, 0);
        product *= rate;   // Σ g x̂
        if (gBias != null)
            gBias[channel] = (float)sum;
        if (gWeight != null)
            gWeight[channel] = (float)product;
        if (gx == null)
            return;

        var a = weight != null ? rate * weight[channel] : rate;
        double b = 0, c = 0;
        if (training)
        {
            var share = -a / sizes.Count;
            b = share * rate * product;
            c = share * sum - b * mean;
        }
        var (wideA, wideB, wideC) = (V.Create(a), V.Create(b), V.Create(c));
        float* source = x + first, gradient = g + first, target = gx + first;
        for (long i = 0; i < sizes.Batch; i++, source += sizes.Stride, gradient += sizes.Stride, target += sizes.Stride)
        {
            long e = 0;
            for (; e + V.Count <= sizes.Elements; e += V.Count)
                V.MultiplyAdd(wideA, V.Load(gradient + e), V.MultiplyAdd(wideB, V.Load(source + e), wideC)).Store(target + e);
            for (; e < sizes.Elements; e++)
                target[e] = (float)double.MultiplyAddEstimate(a, gradient[e], double.MultiplyAddEstimate(b, source[e], c));
        }
    }

    /// <summary>Σg and Σ g (x - μ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Sum, double Product) PlaneSums<V>(float* source, float* gradient, double mean)
        where V : struct, IWide<V>
    {
        double sum = 0, product = 0;
        V wideMean = V.Create(mean), wideSum = V.Create(0), wideProduct = V.Create(0);
        for (long i = 0; i < sizes.Batch; i++, source += sizes.Stride, gradient += sizes.Stride)
        {
            long e = 0;
            for (; e + V.Count <= sizes.Elements; e += V.Count)
            {
                var gi = V.Load(gradient + e);
                wideSum += gi;
                wideProduct = V.MultiplyAdd(gi, V.Load(source + e) - wideMean, wideProduct);
            }
            for (; e < sizes.Elements; e++)
            {
                sum += gradient[e];
                product += gradient[e] * (source[e] - mean);
            }
        }
        return (sum + wideSum.Sum(), product + wideProduct.Sum());
    }
}
