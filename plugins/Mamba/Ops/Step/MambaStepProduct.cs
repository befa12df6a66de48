using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.Step;

/// <summary>Some rows of a matrix times the batch's vectors.</summary>
internal unsafe struct MambaStepProduct : ISimdKernel
{
    public nint Weight;
    public bool IsBFloat16;
    public int Rows, First, Count, Length, Batch;
    public float* X, Bias, Y;

    public readonly void Run<V>()
        where V : struct, ILanes<V> => RowProducts.Run<V>(Weight, IsBFloat16, First, Count, Length, X, Batch, Bias, Y, Rows);
}
