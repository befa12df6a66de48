using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Sums of the first product become scores, up to the row's factor, and the largest of each lane is remembered.</summary>
/// <param name="scores">float32, [row, tile of keys].</param>
/// <param name="tops">One register a row; -∞ before.</param>
/// <param name="keyScales">A factor a key.</param>
/// <param name="starts">What sums begin with, a key; null for zero.</param>
internal readonly unsafe struct ScoreEnd<L>(float* scores, float* tops, float* keyScales, int* starts) : ITileEnd<L>
    where L : struct, IMixedLanes<L>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public L Start(int column) => starts == null ? L.Zero : L.Load(starts + column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int row, int column, L low, L high)
    {
        low = L.Multiply(L.ToSingle(low), L.Load(keyScales + column));
        high = L.Multiply(L.ToSingle(high), L.Load(keyScales + column + L.Count));
        var target = scores + row * SageSizes.KeysOfATile + column;
        low.Store(target);
        high.Store(target + L.Count);
        L.Max(L.Load(tops + row * L.Count), L.Max(low, high)).Store(tops + row * L.Count);
    }
}
