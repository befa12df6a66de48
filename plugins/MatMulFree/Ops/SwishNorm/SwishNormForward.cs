using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.SwishNorm;

/// <summary>The forward of some rows.</summary>
internal unsafe struct SwishNormForward : ISimdKernel
{
    public long First, End;
    public int Dim;
    public double Epsilon;
    public float* X, Gate, Weight, Y;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        for (var row = First; row < End; row++)
        {
            var at = row * Dim;
            Row<V>(X + at, Gate + at, Weight, Rate<V>(X + at, Dim, Epsilon), Y + at, Dim);
        }
    }

    /// <summary>1 / √(mean(x²) + ε).</summary>
    public static float Rate<V>(float* x, int dim, double epsilon)
        where V : struct, ILanes<V> => (float)(1 / Math.Sqrt(RowQuantizer.Squares<V>(x, dim) / dim + epsilon));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<V>(float* x, float* gate, float* weight, float rate, float* y, int count)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(rate);
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            (V.Load(x + i) * wide * V.Load(weight + i) * Silu(V.Load(gate + i))).Store(y + i);
        if (i < count)
        {
            var rest = count - i;
            (V.LoadPartial(x + i, rest) * wide * V.LoadPartial(weight + i, rest) * Silu(V.LoadPartial(gate + i, rest))).StorePartial(y + i, rest);
        }

        static V Silu(V o) => o / (V.Create(1) + VectorMath.ExpBounded(-o));
    }
}
