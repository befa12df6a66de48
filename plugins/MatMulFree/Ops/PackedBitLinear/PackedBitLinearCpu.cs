using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.PackedBitLinear;

/// <summary>The layer in C#: some rows are normalised and rounded, and go to the product while they are in cache.</summary>
internal sealed unsafe class PackedBitLinearCpu : OpKernel
{
    /// <summary>Activations at once, so that memory has a bound.</summary>
    private const int TokensOfChunk = 256;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var tokens = call.Count("B");
        var matrix = new PackedMatrix
        {
            Codes = (byte*)arrays["weight"].Pointer,
            Scale = arrays["w_scale"].Float32[0],
            Norm = arrays["norm.weight"].Float32,
            Rows = call.Count("E"),
            Dim = call.Count("D"),
        };
        // A model's other layers are read before this one's next turn.
        using var activations = new QuantizedActivations(Math.Min(tokens, TokensOfChunk), matrix.Dim, isFar: true);
        for (var first = 0; first < tokens; first += TokensOfChunk)
        {
            var product = activations.Multiply(
                arrays["x"].Float32 + (long)first * matrix.Dim, Math.Min(TokensOfChunk, tokens - first), matrix, arrays["y"].Float32 + (long)first * matrix.Rows);
            if (WorkShare.Threads == 1 || product.IsSmall)
                product.Run(0, product.Rows);
            else
                WorkShare.For(product.Pieces, i => product.RunPiece(i));
        }
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("packed_bitlinear has no gradients.");
}
