using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>How a loop over a row takes its vectors: whole, or the last one, of which only some lanes are the row's. The loop is compiled for each.</summary>
internal static unsafe class Edge
{
    /// <summary>Either of the two.</summary>
    public interface IEdge
    {
        /// <summary>The first <paramref name="count"/> numbers, and zeros.</summary>
        static abstract V Load<V>(float* source, int count)
            where V : struct, ILanes<V>;

        /// <summary>Writes the first <paramref name="count"/> numbers.</summary>
        static abstract void Store<V>(V value, float* target, int count)
            where V : struct, ILanes<V>;
    }

    /// <summary>All lanes, whatever the count.</summary>
    public readonly struct Whole : IEdge
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load<V>(float* source, int count)
            where V : struct, ILanes<V> => V.Load(source);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Store<V>(V value, float* target, int count)
            where V : struct, ILanes<V> => value.Store(target);
    }

    /// <summary>Fewer lanes than a vector has.</summary>
    public readonly struct Part : IEdge
    {
        public static V Load<V>(float* source, int count)
            where V : struct, ILanes<V> => V.LoadPartial(source, count);

        public static void Store<V>(V value, float* target, int count)
            where V : struct, ILanes<V> => value.StorePartial(target, count);
    }
}
