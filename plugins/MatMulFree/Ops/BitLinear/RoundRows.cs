using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>Activations of some rows as they were multiplied: x_int8 / x_scale.</summary>
internal unsafe struct RoundRows : ISimdKernel
{
    public int Rows, Inputs;
    public long Stride;             // from a rounded row to the next: whole vectors
    public double Epsilon;
    public float* X, Norm;
    public float* Rates;            // one a row
    public float* Rounded;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        for (var r = 0; r < Rows; r++)
        {
            var row = Rounded + r * Stride;
            var about = RowQuantizer.Run<V>(X + (long)r * Inputs, Norm, Inputs, Epsilon, row);
            Rates[r] = about.Rate;
            Multiply<V>(row, (int)Stride, 1 / about.Scale);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<V>(float* row, int count, float factor)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        for (var i = 0; i < count; i += V.Count)
            (V.Load(row + i) * wide).Store(row + i);
    }
}
