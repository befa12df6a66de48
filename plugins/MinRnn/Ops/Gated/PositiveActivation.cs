using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>g(x) = x + 1/2 from 0 on, σ(x) below: positive, as a scan over logarithms needs it (Feng et al. 2024, appendix B).</summary>
internal readonly struct PositiveActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exponent<V>(V x)
        where V : struct, ILanes<V> => -x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<V>(V x, V e)
        where V : struct, ILanes<V> => V.WhereGreater(V.Zero, x, V.Create(1) / (V.Create(1) + e), x + V.Create(0.5f));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WithSlope<V>(V x, V e, out V value, out V slope)
        where V : struct, ILanes<V>
    {
        Gates.Open(e, out var open, out var closed);
        value = V.WhereGreater(V.Zero, x, open, x + V.Create(0.5f));
        slope = V.WhereGreater(V.Zero, x, open * closed, V.Create(1));
    }
}
