using System.Runtime.CompilerServices;

namespace Zoo.LeNet;

/// <summary>Statistics of a channel, and y by them.</summary>
/// <remarks>
/// The channel's first value is taken off before summing, so that one pass gives the variance without cancellation whatever the mean. Null
/// pointers: no weight (1), no bias (0), no backward to keep statistics for.
/// </remarks>
internal readonly unsafe struct BatchNormForward(
    BatchNormSizes sizes, float* x, float* weight, float* bias, float* runningMean, float* runningVar,
    float* y, float* mean, float* variance, double* statistics, bool training, double eps) : IChannelWork
{
    public BatchNormSizes Sizes => sizes;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Columns<V>(int channel)
        where V : struct, IWide<V>
    {
        V m, v;
        if (training)
        {
            var shift = V.Load(x + channel);
            V sum = V.Create(0), squares = V.Create(0);
            var row = x + channel;
            for (long i = 0; i < sizes.Batch; i++, row += sizes.Channels)
            {
                var d = V.Load(row) - shift;
                sum += d;
                squares = V.MultiplyAdd(d, d, squares);
            }
            var share = V.Create(1.0 / sizes.Batch);
            sum *= share;
            m = shift + sum;
            v = V.Max(squares * share - sum * sum, V.Create(0));
        }
        else
        {
            m = V.Load(runningMean + channel);
            v = V.Load(runningVar + channel);
        }
        var rate = V.Create(1) / V.Sqrt(v + V.Create(eps));
        m.Store(mean + channel);
        v.Store(variance + channel);
        if (statistics != null)
        {
            m.StoreWide(statistics + channel);
            rate.StoreWide(statistics + sizes.Channels + channel);
        }
        var scale = weight != null ? rate * V.Load(weight + channel) : rate;
        var offset = (bias != null ? V.Load(bias + channel) : V.Create(0)) - m * scale;
        float* source = x + channel, target = y + channel;
        for (long i = 0; i < sizes.Batch; i++, source += sizes.Channels, target += sizes.Channels)
            V.MultiplyAdd(V.Load(source), scale, offset).Store(target);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Plane<V>(int channel)
        where V : struct, IWide<V>
    {
        var first = channel * sizes.Elements;
        var (m, v) = training ? PlaneStatistics<V>(x + first) : (runningMean[channel], runningVar[channel]);
        var rate = 1 / Math.Sqrt(v + eps);
        mean[channel] = (float)m;
        variance[channel] = (float)v;
        if (statistics != null)
        {
            statistics[channel] = m;
            statistics[sizes.Channels + channel] = rate;
        }
        var scale = weight != null ? rate * weight[channel] : rate;
        var offset = (bias != null ? bias[channel] : 0) - m * scale;
        var (wideScale, wideOffset) = (V.Create(scale), V.Create(offset));
        float* source = x + first, target = y + first;
        for (long i = 0; i < sizes.Batch; i++, source += sizes.Stride, target += sizes.Stride)
        {
            long e = 0;
            for (; e + V.Count <= sizes.Elements; e += V.Count)
                V.MultiplyAdd(V.Load(source + e), wideScale, wideOffset).Store(target + e);
            for (; e < sizes.Elements; e++)
                target[e] = (float)double.MultiplyAddEstimate(source[e], scale, offset);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (double Mean, double Variance) PlaneStatistics<V>(float* plane)
        where V : struct, IWide<V>
    {
        double shift = plane[0], sum = 0, squares = 0;
        V wideShift = V.Create(shift), wideSum = V.Create(0), wideSquares = V.Create(0);
        for (long i = 0; i < sizes.Batch; i++, plane += sizes.Stride)
        {
            long e = 0;
            for (; e + V.Count <= sizes.Elements; e += V.Count)
            {
                var d = V.Load(plane + e) - wideShift;
                wideSum += d;
                wideSquares = V.MultiplyAdd(d, d, wideSquares);
            }
            for (; e < sizes.Elements; e++)
            {
                var d = plane[e] - shift;
                sum += d;
                squares += d * d;
            }
        }
        sum = (sum + wideSum.Sum()) / sizes.Count;
        squares = (squares + wideSquares.Sum()) / sizes.Count;
        return (shift + sum, Math.Max(squares - sum * sum, 0));
    }
}
