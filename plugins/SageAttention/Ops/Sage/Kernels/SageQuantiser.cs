using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Rows of numbers to whole numbers, with a scale for each group of rows; number by number as <see cref="IntegerQuantizer"/>.</summary>
internal static unsafe class SageQuantiser
{
    private const int MostGroups = 8;

    /// <summary>Quantises rows into int16.</summary>
    /// <param name="x">[row, dim].</param>
    /// <param name="rows">How many; they begin where a tile of groups begins.</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="mean">What is taken off every row first, [dim].</param>
    /// <param name="factor">What it is multiplied with then.</param>
    /// <param name="groups">Which rows share a scale.</param>
    /// <param name="rule">How.</param>
    /// <param name="scales">One a row.</param>
    /// <param name="groupScales">One a group; null where nobody asks.</param>
    /// <param name="whole">[row, <paramref name="stride"/>]; zeros behind the last dimension, up to an even number.</param>
    /// <param name="stride">From a row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows<L>(
        float* x, int rows, int dim, float* mean, float factor, TokenGroups groups, QuantizationRule rule, float* scales, float* groupScales,
        short* whole, int stride)
        where L : struct, IMixedLanes<L>
    {
        var largest = stackalloc float[MostGroups];
        for (var first = 0; first < rows; first += groups.Tile)
        {
            var count = Math.Min(groups.Tile, rows - first);
            new Span<float>(largest, MostGroups).Clear();
            for (var i = 0; i < count; i++)
            {
                ref var top = ref largest[i % groups.Period / groups.Run];
                top = Math.Max(top, Largest<L>(x + (long)(first + i) * dim, mean, factor, dim));        // NaN stays
            }
            for (var group = 0; group < groups.Period / groups.Run && groupScales != null; group++)
                *groupScales++ = Scale(largest[group], rule);
            for (var i = 0; i < count; i++)
            {
                var top = largest[i % groups.Period / groups.Run];
                var scale = scales[first + i] = Scale(top, rule);
                var by = rule.Scale == ScaleRule.Floored ? rule.Levels / Math.Max(top, SagePlan.Epsilon) : scale == 0 ? 1 : scale;
                Row<L>(x + (long)(first + i) * dim, mean, factor, by, rule, dim, whole + (long)(first + i) * stride);
            }
        }
    }

    /// <summary>The scale of a group whose largest number is known.</summary>
    public static float Scale(float largest, QuantizationRule rule) => rule.Scale switch
    {
        ScaleRule.Floored => Math.Max(largest, SagePlan.Epsilon) / rule.Levels,
        ScaleRule.AddedEpsilon => largest / rule.Levels + SagePlan.Epsilon,
        _ => largest / rule.Levels,
    };

    /// <summary>The largest |(x - mean) · factor|; NaN where a number is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest<L>(float* x, float* mean, float factor, int dim)
        where L : struct, IMixedLanes<L>
    {
        L wide = L.Create(factor), sign = L.Create(int.MaxValue), top = L.Zero, odd = L.Zero;
        var i = 0;
        for (; i + L.Count <= dim; i += L.Count)
        {
            var value = L.Multiply(L.Subtract(L.Load(x + i), L.Load(mean + i)), wide);
            top = L.Max(top, L.And(sign, value));
            odd = L.MultiplyAdd(value, L.Zero, odd);
        }
        var largest = L.MaxOf(top) + L.SumOf(odd);
        for (; i < dim; i++)
        {
            var value = (x[i] - mean[i]) * factor;
            largest = Math.Max(largest, Math.Abs(value)) + value * 0;
        }
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<L>(float* x, float* mean, float factor, float by, QuantizationRule rule, int dim, short* whole)
        where L : struct, IMixedLanes<L>
    {
        var (isProduct, isEven) = (rule.Scale == ScaleRule.Floored, rule.HalfToEven);
        L wide = L.Create(factor), divisor = L.Create(by), half = L.Create(0.5f), sign = L.Create(int.MinValue);
        var i = 0;
        for (; i + 2 * L.Count <= dim; i += 2 * L.Count)
        {
            var low = L.Multiply(L.Subtract(L.Load(x + i), L.Load(mean + i)), wide);
            var high = L.Multiply(L.Subtract(L.Load(x + i + L.Count), L.Load(mean + i + L.Count)), wide);
            low = isProduct ? L.Multiply(low, divisor) : L.Divide(low, divisor);
            high = isProduct ? L.Multiply(high, divisor) : L.Divide(high, divisor);
            L.Pack(isEven ? L.ToInt32(low) : Away(low, half, sign), isEven ? L.ToInt32(high) : Away(high, half, sign)).Store(whole + i);
        }
        for (; i < dim; i++)
        {
            var value = (x[i] - mean[i]) * factor;
            value = isProduct ? value * by : value / by;
            whole[i] = (short)(isEven ? MathF.Round(value) : MathF.Truncate(value + MathF.CopySign(0.5f, value)));
        }
        if ((dim & 1) != 0)
            whole[dim] = 0;
    }

    /// <summary>Half is added away from zero, and the fraction cut off.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static L Away<L>(L x, L half, L sign)
        where L : struct, IMixedLanes<L> => L.Truncate(L.Add(x, L.Or(L.And(x, sign), half)));
}
