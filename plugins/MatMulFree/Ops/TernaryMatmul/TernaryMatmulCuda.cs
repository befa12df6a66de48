using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>The product on a card: one or two tokens by dp4a, a warp an output; more on the tensor cores. Codes stay packed up to the registers.</summary>
internal sealed class TernaryMatmulCuda : CudaKernel
{
    private const int ArrangeThreads = 128;
    private const int Warps = 4;
    private const int RowsOfWarp = 16;
    private const int TokensOfWarp = 32;
    private const int WordsOfBlock = TernaryPacking.BlockWeights / sizeof(int);

    public override string SourceName => "TernaryMatmul.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") > (long)ushort.MaxValue * TokensOfWarp
        ? $"there are {call.Size("B")} tokens; the cuda backend takes at most {(long)ushort.MaxValue * TokensOfWarp}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int tokens = call.Count("B"), dim = call.Count("D"), rows = call.Count("E");
        var blocks = (int)(TernaryPacking.RowBytes(dim) / TernaryPacking.BlockBytes);
        var arranged = cuda.Scratch((long)tokens * blocks * WordsOfBlock);
        var sums = cuda.Scratch(tokens);
        cuda.Launch("ternary_arrange", tokens, ArrangeThreads, 0, arrays["x"], arranged, sums, dim, blocks);
        var (codes, xScale, wScale, bias, y) = (arrays["weight"], arrays["x_scale"], arrays["w_scale"], arrays["bias"], arrays["y"]);
        if (tokens is 1 or 2)
        {
            cuda.Launch(
                tokens == 1 ? "ternary_one" : "ternary_two", CudaSize.Pieces(rows, Warps), Warps * 32, 0, arranged, codes, sums, xScale, wScale, bias, y, rows, blocks);
            return;
        }
        cuda.Launch(
            "ternary_many", new CudaSize(CudaSize.Pieces(rows, Warps * RowsOfWarp), CudaSize.Pieces(tokens, TokensOfWarp)), Warps * 32, 0,
            arranged, codes, sums, xScale, wScale, bias, y, rows, blocks, tokens);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => throw new NotSupportedException("ternary_matmul has no gradients.");
}
