using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Four bytes without a sign by four with one.</summary>
internal readonly struct ByteQuads<L> : IProduct<L>
    where L : struct, IMixedLanes<L>
{
    /// <summary>What makes of an int8 a byte without sign; it takes so many times the sum of the other factor off the result.</summary>
    public const int Offset = 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Multiply(L sum, L a, L b) => L.AddQuads(sum, a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static L Add(L sum, L products) => products;
}
