using System.Runtime.InteropServices;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>The product in C#: codes go through once, and threads share the rows of the matrix.</summary>
/// <remarks>Sums are whole numbers, so no width, tile or number of threads changes a bit.</remarks>
internal sealed unsafe class TernaryMatmulCpu : OpKernel
{
    /// <summary>Where the last call's codes lie: a guess at what the last cache holds, which changes no result.</summary>
    private static nint _lastCodes;

    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        int tokens = call.Count("B"), dim = call.Count("D"), rows = call.Count("E");
        var width = TernaryProduct.Width;
        var asItLies = ArrangedActivations.IsNatural(tokens, dim, width);
        var tokenBytes = asItLies ? 0 : ArrangedActivations.TokenBytes(dim, width);
        var bytes = tokens * (tokenBytes + sizeof(int) + sizeof(float));
        var scratch = (sbyte*)NativeMemory.AlignedAlloc((nuint)Math.Max(1, bytes), 64);
        try
        {
            var x = (sbyte*)arrays["x"].Pointer;
            var product = new TernaryProduct
            {
                Codes = (byte*)arrays["weight"].Pointer,
                Rows = rows,
                Dim = dim,
                Tokens = tokens,
                Arranged = asItLies ? x : scratch,
                Sums = (int*)(scratch + tokens * tokenBytes),
                Factors = (float*)(scratch + tokens * (tokenBytes + sizeof(int))),
                Bias = arrays["bias"].Float32,
                Y = arrays["y"].Float32,
                IsFar = AreFar(arrays["weight"]),
            };
            var xScale = arrays["x_scale"].Float32;
            var wScale = arrays["w_scale"].Float32[0];
            int tile;
            for (var token = 0; token < tokens && !asItLies; token += tile)
            {
                tile = ArrangedActivations.TileOf(tokens - token);
                ArrangedActivations.Arrange(x + (long)token * dim, tile, dim, width, scratch + token * tokenBytes);
            }
            for (var token = 0; token < tokens; token++)
            {
                product.Sums[token] = ArrangedActivations.Sum(x + (long)token * dim, dim);
                product.Factors[token] = TernaryScale.Factor(wScale, xScale[token]);
            }
            if (WorkShare.Threads == 1 || product.IsSmall)
                product.Run(0, rows);
            else
                WorkShare.For(product.Pieces, i => product.RunPiece(i));
        }
        finally
        {
            NativeMemory.AlignedFree(scratch);
        }
    }

    /// <summary>Whether codes come from memory: they are others than the last call's, or too many for the last cache.</summary>
    private static bool AreFar(KernelArray codes)
    {
        var isAnother = Interlocked.Exchange(ref _lastCodes, codes.Pointer) != codes.Pointer;
        return isAnother || TernaryProduct.AreFar(codes.Bytes);
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("ternary_matmul has no gradients.");
}
