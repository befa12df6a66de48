using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>g(x) = x + 1/2 from 0 on, σ(x) below: positive, as a scan over logarithms needs it (Feng et al. 2024, appendix B).</summary>
internal readonly struct PositiveActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<V>(V x)
        where V : struct, ILanes<V>
    {
        var e = VectorMath.Exp(-V.Abs(x));
        return V.WhereGreater(V.Zero, x, e / (V.Create(1) + e), x + V.Create(0.5f));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WithSlope<V>(V x, out V value, out V slope)
        where V : struct, ILanes<V>
    {
        var e = VectorMath.Exp(-V.Abs(x));
        var large = V.Create(1) / (V.Create(1) + e);           // σ(-x), where x < 0
        var small = e * large;
        value = V.WhereGreater(V.Zero, x, small, x + V.Create(0.5f));
        slope = V.WhereGreater(V.Zero, x, small * large, V.Create(1));
    }
}
