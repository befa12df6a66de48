using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>What the cells have in common.</summary>
internal static class Gates
{
    private const float SmallestNormal = 1.17549435e-38f;

    /// <summary>σ(x) and 1 - σ(x) = σ(-x), each to its own last digits: a difference from 1 would lose those of the small one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sigmoid<V>(V x, out V open, out V closed)
        where V : struct, ILanes<V>
    {
        Open(VectorMath.ExpBounded(-x), out open, out closed);
    }

    /// <summary><see cref="Sigmoid"/> from e^-x, bounded, so that nothing overflows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Open<V>(V e, out V open, out V closed)
        where V : struct, ILanes<V>
    {
        open = V.Create(1) / (V.Create(1) + e);
        closed = e * open;
    }

    /// <summary>Zero in place of numbers below the normal range, among which a decaying state would stay and be slow to reckon with; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Flush<V>(V a)
        where V : struct, ILanes<V> => V.WhereGreater(V.Create(SmallestNormal), V.Abs(a), V.Zero, a);
}
