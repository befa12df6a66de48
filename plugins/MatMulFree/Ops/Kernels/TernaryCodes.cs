using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Ternary weights in the forms that the unpacked layer reckons with.</summary>
internal static unsafe class TernaryCodes
{
    /// <summary>-1, 0, 1 as bytes.</summary>
    public static void Bytes(float* weight, long count, float scale, sbyte* target)
    {
        for (var i = 0L; i < count; i++)
            target[i] = (sbyte)WeightScale.Ternary(weight[i], scale);
    }

    /// <summary>-1, 0, 1 as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Floats<V>(float* weight, long count, float scale, float* target)
        where V : struct, ILanes<V>
    {
        var threshold = WeightScale.Threshold(scale);
        V high = V.Create(threshold), low = V.Create(-threshold), one = V.Create(1);
        var i = 0L;
        for (; i + V.Count <= count; i += V.Count)
        {
            var w = V.Load(weight + i);
            V.WhereGreater(w, high, one, V.WhereGreater(low, w, -one, V.Zero)).Store(target + i);
        }
        for (; i < count; i++)
            target[i] = WeightScale.Ternary(weight[i], scale);
    }

    /// <summary>Four weights plus 1, one a byte: 0, 1 or 2.</summary>
    /// <param name="weight">[4].</param>
    /// <param name="threshold"><see cref="WeightScale.Threshold"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Four(float* weight, float threshold)
    {
        var w = Vector128.Load(weight);
        var above = Vector128.GreaterThan(w, Vector128.Create(threshold)).AsInt32();       // -1 where it is
        var below = Vector128.LessThan(w, Vector128.Create(-threshold)).AsInt32();
        var codes = Vector128<int>.One - above + below;
        var shorts = Vector128.Narrow(codes, codes);
        return Vector128.Narrow(shorts, shorts).AsUInt32().ToScalar();
    }
}
