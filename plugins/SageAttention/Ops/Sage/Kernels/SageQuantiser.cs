using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Rows of numbers to whole numbers, with a scale for each group of rows.</summary>
internal static unsafe class SageQuantiser
{
    private const float LeastLargest = 1e-7f;

    /// <summary>Quantises rows that share groups, into int16.</summary>
    /// <param name="x">[row, dim].</param>
    /// <param name="rows">How many; they begin where a tile begins.</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="mean">What is taken off every row first, [dim].</param>
    /// <param name="factor">What it is multiplied with then.</param>
    /// <param name="groups">Which rows share a scale.</param>
    /// <param name="rounding">The rule.</param>
    /// <param name="scales">One a row.</param>
    /// <param name="whole">[row, <paramref name="stride"/>]; zeros behind the last dimension, up to an even number.</param>
    /// <param name="stride">From a row to the next.</param>
    public static void Rows<L>(
        float* x, int rows, int dim, float* mean, float factor, SageGroups groups, SageRounding rounding, float* scales, short* whole, int stride)
        where L : struct, IMixedLanes<L>
    {
        var largest = stackalloc float[8];
        for (var first = 0; first < rows; first += groups.Tile)
        {
            var count = Math.Min(groups.Tile, rows - first);
            new Span<float>(largest, 8).Clear();
            for (var i = 0; i < count; i++)
            {
                var group = groups.Of(i);
                largest[group] = Math.Max(largest[group], Largest<L>(x + (long)(first + i) * dim, mean, factor, dim));
            }
            for (var i = 0; i < count; i++)
            {
                var top = largest[groups.Of(i)];
                var scale = rounding.IsHalfToEven ? Math.Max(top, LeastLargest) / rounding.Levels : top / rounding.Levels + rounding.Epsilon;
                scales[first + i] = scale;
                var by = rounding.IsHalfToEven ? rounding.Levels / Math.Max(top, LeastLargest) : scale;
                Row<L>(x + (long)(first + i) * dim, mean, factor, by, rounding.IsHalfToEven, dim, whole + (long)(first + i) * stride);
            }
        }
    }

    /// <summary>The largest |(x - mean) · factor|.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest<L>(float* x, float* mean, float factor, int dim)
        where L : struct, IMixedLanes<L>
    {
        L wide = L.Create(factor), sign = L.Create(int.MaxValue), top = L.Zero;
        var i = 0;
        for (; i + L.Count <= dim; i += L.Count)
            top = L.Max(top, L.And(sign, L.Multiply(L.Subtract(L.Load(x + i), L.Load(mean + i)), wide)));
        var largest = L.MaxOf(top);
        for (; i < dim; i++)
            largest = Math.Max(largest, Math.Abs((x[i] - mean[i]) * factor));
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<L>(float* x, float* mean, float factor, float by, bool isHalfToEven, int dim, short* whole)
        where L : struct, IMixedLanes<L>
    {
        L wide = L.Create(factor), divisor = L.Create(by), half = L.Create(0.5f), sign = L.Create(int.MinValue);
        var i = 0;
        for (; i + 2 * L.Count <= dim; i += 2 * L.Count)
        {
            var low = L.Multiply(L.Subtract(L.Load(x + i), L.Load(mean + i)), wide);
            var high = L.Multiply(L.Subtract(L.Load(x + i + L.Count), L.Load(mean + i + L.Count)), wide);
            if (isHalfToEven)
            {
                low = L.ToInt32(L.Multiply(low, divisor));
                high = L.ToInt32(L.Multiply(high, divisor));
            }
            else
            {
                low = Away(L.Divide(low, divisor), half, sign);
                high = Away(L.Divide(high, divisor), half, sign);
            }
            L.Pack(low, high).Store(whole + i);
        }
        for (; i < dim; i++)
        {
            var value = (x[i] - mean[i]) * factor;
            whole[i] = (short)(isHalfToEven ? MathF.Round(value * by) : MathF.Truncate(value / by + MathF.CopySign(0.5f, value)));
        }
        if ((dim & 1) != 0)
            whole[dim] = 0;
    }

    /// <summary>Half is added away from zero, and the fraction cut off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static L Away<L>(L x, L half, L sign)
        where L : struct, IMixedLanes<L> => L.Truncate(L.Add(x, L.Or(L.And(x, sign), half)));
}
