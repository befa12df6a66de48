using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Normalises some rows. What is not given or not wanted is null.</summary>
internal unsafe struct NormForward : ISimdKernel
{
    public long Rows;
    public int Dim;
    public bool Centre;
    public double Epsilon;
    public float* X, Residual, Weight, Bias;
    public float* Y, Sum;
    public float* Means, Rates;     // one a row, kept for backward

    /// <summary>Of all rows, those from <paramref name="first"/> up to <paramref name="end"/>.</summary>
    public readonly NormForward Piece(long first, long end)
    {
        var start = first * Dim;
        return this with
        {
            Rows = end - first,
            X = X + start,
            Residual = At(Residual, start),
            Y = Y + start,
            Sum = At(Sum, start),
            Means = At(Means, first),
            Rates = At(Rates, first),
        };

        static float* At(float* array, long offset) => array == null ? null : array + offset;
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var offset = 0L;
        for (var row = 0L; row < Rows; row++, offset += Dim)
        {
            var s = X + offset;
            if (Residual != null)
            {
                Add<V>(s, Residual + offset, Sum + offset, Dim);
                s = Sum + offset;
            }
            var mean = Centre ? Total<V>(s, Dim) / Dim : 0;
            var rate = (float)(1 / Math.Sqrt(Squares<V>(s, mean, Dim) / Dim + Epsilon));
            Scale<V>(s, mean, rate, Weight, Bias, Y + offset, Dim);
            if (Means != null)
                Means[row] = mean;
            if (Rates != null)
                Rates[row] = rate;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add<V>(float* x, float* residual, float* sum, int count)
        where V : struct, ILanes<V>
    {
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            (V.Load(x + i) + V.Load(residual + i)).Store(sum + i);
        for (; i < count; i++)
            sum[i] = x[i] + residual[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Total<V>(float* s, int count)
        where V : struct, ILanes<V>
    {
        V even = V.Zero, odd = V.Zero;      // two chains, or each addition would wait for the last
        var i = 0;
        for (; i + 2 * V.Count <= count; i += 2 * V.Count)
        {
            even += V.Load(s + i);
            odd += V.Load(s + i + V.Count);
        }
        var total = V.Sum(even + odd);
        for (; i < count; i++)
            total += s[i];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Squares<V>(float* s, float mean, int count)
        where V : struct, ILanes<V>
    {
        var centre = V.Create(mean);
        V even = V.Zero, odd = V.Zero;
        var i = 0;
        for (; i + 2 * V.Count <= count; i += 2 * V.Count)
        {
            var (a, b) = (V.Load(s + i) - centre, V.Load(s + i + V.Count) - centre);
            even = V.MultiplyAdd(a, a, even);
            odd = V.MultiplyAdd(b, b, odd);
        }
        var total = V.Sum(even + odd);
        for (; i < count; i++)
            total += (s[i] - mean) * (s[i] - mean);
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<V>(float* s, float mean, float rate, float* weight, float* bias, float* y, int count)
        where V : struct, ILanes<V>
    {
        var (wideMean, wideRate) = (V.Create(mean), V.Create(rate));
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var value = (V.Load(s + i) - wideMean) * wideRate;
            if (weight != null)
                value *= V.Load(weight + i);
            if (bias != null)
                value += V.Load(bias + i);
            value.Store(y + i);
        }
        for (; i < count; i++)
        {
            var value = (s[i] - mean) * rate;
            y[i] = (weight != null ? value * weight[i] : value) + (bias != null ? bias[i] : 0);
        }
    }
}
