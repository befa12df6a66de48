using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Two int16 by two int16.</summary>
internal readonly struct Int16Pairs<L> : IProduct<L>
    where L : struct, IMixedLanes<L>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Multiply(L sum, L a, L b) => L.AddsProducts ? L.AddPairs(sum, a, b) : L.Pairs(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Add(L sum, L products) => L.AddsProducts ? products : L.AddInt32(sum, products);
}
