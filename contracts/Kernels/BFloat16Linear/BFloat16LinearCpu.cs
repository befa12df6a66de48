using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The product in C#: the matrix goes through once, four of its rows at a time, and threads share its rows.</summary>
/// <remarks>Each output is a sum of its own in a fixed order: the number of threads changes no bit.</remarks>
internal sealed unsafe class BFloat16LinearCpu : OpKernel
{
    /// <summary>Rows of the matrix that a thread takes at once.</summary>
    private const int OutputsOfPiece = 64;

    private const long ElementsWorthSharing = 1 << 17;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var whole = new BFloat16LinearForward
        {
            Rows = call.Count("B"),
            Dim = call.Count("D"),
            Outputs = call.Count("E"),
            X = arrays["x"].Float32,
            Weight = (ushort*)arrays["weight"].Pointer,
            Bias = arrays["bias"].Float32,
            Y = arrays["y"].Float32,
        };
        if (call.Size("E") * call.Size("D") < ElementsWorthSharing)
            Simd.Run(whole with { Count = whole.Outputs });
        else
            WorkShare.For((whole.Outputs + OutputsOfPiece - 1) / OutputsOfPiece, i => Simd.Run(whole.Piece(i * OutputsOfPiece, OutputsOfPiece)));
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("bf16_linear has no gradients.");
}
