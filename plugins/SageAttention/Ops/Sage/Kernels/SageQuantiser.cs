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
        float* largest = stackalloc float[MostGroups], factors = stackalloc float[MostGroups];
        float* tops = stackalloc float[MostGroups * L.Count], odds = stackalloc float[MostGroups * L.Count];
        var (tile, period, run) = (groups.Tile, groups.Period, groups.Run);
        var groupCount = period / run;
        for (var first = 0; first < rows; first += tile)
        {
            var count = Math.Min(tile, rows - first);
            new Span<float>(largest, MostGroups).Clear();
            new Span<float>(tops, MostGroups * L.Count).Clear();
            new Span<float>(odds, MostGroups * L.Count).Clear();
            for (var i = 0; i < count; i++)
            {
                var group = i % period / run;
                Largest<L>(x + (long)(first + i) * dim, mean, factor, dim, tops + group * L.Count, odds + group * L.Count, largest + group);
            }
            for (var group = 0; group < groupCount; group++)
            {
                var top = Math.Max(largest[group], L.MaxOf(L.Load(tops + group * L.Count)) + L.SumOf(L.Load(odds + group * L.Count)));     // NaN stays
                var scale = largest[group] = Scale(top, rule);
                factors[group] = rule.Scale == ScaleRule.Floored ? rule.Levels / Math.Max(top, SagePlan.Epsilon) : scale == 0 ? 1 : scale;
                if (groupScales != null)
                    *groupScales++ = scale;
            }
            for (var i = 0; i < count; i++)
            {
                var group = i % period / run;
                scales[first + i] = largest[group];
                Row<L>(x + (long)(first + i) * dim, mean, factor, factors[group], rule, dim, whole + (long)(first + i) * stride);
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

    /// <summary>The largest |(x - mean) · factor| of a row, in a register, and a NaN in another where a number is not finite; the last numbers' in a float.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Largest<L>(float* x, float* mean, float factor, int dim, float* tops, float* odds, float* largest)
        where L : struct, IMixedLanes<L>
    {
        L wide = L.Create(factor), sign = L.Create(int.MaxValue), top = L.Load(tops), odd = L.Load(odds);
        var i = 0;
        for (; i + L.Count <= dim; i += L.Count)
        {
            var value = L.Multiply(L.Subtract(L.Load(x + i), L.Load(mean + i)), wide);
            top = L.Max(top, L.And(sign, value));
            odd = L.MultiplyAdd(value, L.Zero, odd);
        }
        top.Store(tops);
        odd.Store(odds);
        for (; i < dim; i++)
        {
            var value = (x[i] - mean[i]) * factor;
            *largest = Math.Max(*largest, Math.Abs(value)) + value * 0;
        }
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
