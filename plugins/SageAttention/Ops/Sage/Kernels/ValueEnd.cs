using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Sums of the second product, times the tile's power of two, are added to what earlier tiles gave.</summary>
/// <param name="y">float32, [row, stride].</param>
/// <param name="stride">From a row to the next.</param>
/// <param name="factors">One a row.</param>
internal readonly unsafe struct ValueEnd<L>(float* y, long stride, float* factors) : ITileEnd<L>
    where L : struct, IMixedLanes<L>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Start(int column) => L.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int row, int column, L low, L high)
    {
        var wide = L.Create(factors[row]);
        var target = y + row * stride + column;
        L.MultiplyAdd(L.ToSingle(low), wide, L.Load(target)).Store(target);
        L.MultiplyAdd(L.ToSingle(high), wide, L.Load(target + L.Count)).Store(target + L.Count);
    }
}
