using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Vectors at a row's end, of which only some lanes are the row's.</summary>
internal static unsafe class Edge
{
    /// <summary>The first <paramref name="count"/> numbers, and zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(float* source, int count)
        where V : struct, ILanes<V> => count == V.Count ? V.Load(source) : V.LoadPartial(source, count);

    /// <summary>Writes the first <paramref name="count"/> numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<V>(V value, float* target, int count)
        where V : struct, ILanes<V>
    {
        if (count == V.Count)
            value.Store(target);
        else
            value.StorePartial(target, count);
    }
}
