using TorchSharp;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The product in C#: threads share blocks of rows.</summary>
internal sealed class MatrixVectorCpu : OpKernel
{
    private const int BlockRows = 256;

    private const long WeightsWorthSharing = 1 << 16;

    public override string Backend => KernelChoice.Cpu;

    public override unsafe void Forward(OpCall call, KernelArrays arrays)
    {
        var rows = call.Count("E");
        var whole = new Piece
        {
            Weight = arrays["weight"].Pointer,
            IsBFloat16 = call.Inputs["weight"].dtype == torch.ScalarType.BFloat16,
            Rows = rows,
            Length = call.Count("D"),
            Batch = call.Count("B"),
            X = arrays["x"].Float32,
            Bias = arrays["bias"].Float32,
            Y = arrays["y"].Float32,
        };
        if (WorkShare.Threads == 1 || rows * call.Size("D") < WeightsWorthSharing)
            Simd.Run(whole with { Count = rows });
        else
            WorkShare.For((rows + BlockRows - 1) / BlockRows, i => Simd.Run(whole with { First = i * BlockRows, Count = Math.Min(BlockRows, rows - i * BlockRows) }));
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("matrix_vector has no gradients.");

    private unsafe struct Piece : ISimdKernel
    {
        public nint Weight;
        public bool IsBFloat16;
        public int Rows, First, Count, Length, Batch;
        public float* X, Bias, Y;

        public readonly void Run<V>()
            where V : struct, ILanes<V> => RowProducts.Run<V>(Weight, IsBFloat16, First, Count, Length, X, Batch, Bias, Y, Rows);
    }
}
