using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>The product on a card: up to eight tokens by dp4a, a warp one or two outputs; more on the tensor cores. Codes stay packed up to the registers.</summary>
internal sealed class TernaryMatmulCuda : CudaKernel
{
    private const int ArrangeThreads = 128;
    private const int WordBytes = sizeof(int);
    private const int Alignment = 16;
    private const int Warps = 4;
    private const int RowsOfBlock = 16;
    private const int TokensOfBlock = 32;
    private const int FewTokens = 8;

    /// <summary>Tokens that a launch takes; a grid has no more along y.</summary>
    public const long MostTokens = (long)ushort.MaxValue * TokensOfBlock;

    public override string SourceName => "TernaryMatmul.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => WhyNot(call);

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int tokens = call.Count("B"), dim = call.Count("D");
        var (x, words) = (arrays["x"], dim / WordBytes);
        // Tokens are read where they are if their rows begin at addresses that 16 bytes can be read from, and many of them if they are whole blocks.
        if (dim % (tokens > FewTokens ? TernaryPacking.BlockWeights : Alignment) != 0 || x.Pointer % Alignment != 0)
        {
            words = Words(dim);
            x = cuda.Scratch((long)tokens * words);
            cuda.Launch("ternary_arrange", tokens, ArrangeThreads, 0, arrays["x"], x, dim, Blocks(dim));
        }
        Multiply(call, arrays, cuda, x, words, arrays["x_scale"]);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => throw new NotSupportedException("ternary_matmul has no gradients.");

    /// <summary>Why the kernels do not take a call, of this op or of `packed_bitlinear`.</summary>
    internal static string? WhyNot(OpCall call) =>
        call.Size("B") > MostTokens ? $"there are {call.Size("B")} tokens; the cuda backend takes at most {MostTokens}" : null;

    /// <summary>Words of a token's activations that end with a whole block.</summary>
    internal static int Words(int dim) => Blocks(dim) * (TernaryPacking.BlockWeights / WordBytes);

    /// <summary>Blocks of a row's codes.</summary>
    internal static int Blocks(int dim) => (int)(TernaryPacking.RowBytes(dim) / TernaryPacking.BlockBytes);

    /// <summary>The product of bytes with the packed matrix.</summary>
    /// <param name="call">Of this op or of `packed_bitlinear`.</param>
    /// <param name="arrays">The call's.</param>
    /// <param name="cuda">Where.</param>
    /// <param name="x">A token's bytes, then the next token's.</param>
    /// <param name="words">Words of a token.</param>
    /// <param name="scales">x_scale of each token.</param>
    internal static void Multiply(OpCall call, KernelArrays arrays, CudaLauncher cuda, KernelArray x, int words, KernelArray scales)
    {
        int tokens = call.Count("B"), rows = call.Count("E"), blocks = Blocks(call.Count("D"));
        var bias = call.Has("bias") ? arrays["bias"] : default;
        var (codes, weightScale, y) = (arrays["weight"], arrays["w_scale"], arrays["y"]);
        if (tokens is > 0 and <= FewTokens)
        {
            var (kernel, rowsOfWarp) = tokens switch { 1 => ("ternary_one", 1), <= 4 => ("ternary_few", 2), _ => ("ternary_eight", 2) };
            cuda.Launch(
                kernel, CudaSize.Pieces(rows, Warps * rowsOfWarp), Warps * 32, 0, x, codes, scales, weightScale, bias, y, rows, blocks, words, tokens);
            return;
        }
        cuda.Launch(
            "ternary_many", new CudaSize(CudaSize.Pieces(rows, RowsOfBlock), CudaSize.Pieces(tokens, TokensOfBlock)), Warps * 32, 0,
            x, codes, scales, weightScale, bias, y, rows, blocks, words, tokens);
    }
}
