using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.MatMulFree.Ops.TernaryMatmul;

namespace Zoo.MatMulFree.Ops.PackedBitLinear;

/// <summary>The layer on a card: rows are rounded by the lines that `bitlinear` rounds by, and multiplied as `ternary_matmul` does.</summary>
internal sealed class PackedBitLinearCuda : CudaKernel
{
    private const int Threads = 256;

    public override string SourceName => "TernaryMatmul.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => TernaryMatmulCuda.WhyNot(call);

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int tokens = call.Count("B"), dim = call.Count("D"), words = TernaryMatmulCuda.Words(dim);
        var (bytes, scales) = (cuda.Scratch((long)tokens * words), cuda.Scratch(tokens));
        cuda.Launch(
            "ternary_round", tokens, Threads, 0,
            arrays["x"], arrays["norm.weight"], bytes, scales, dim, TernaryMatmulCuda.Blocks(dim), (float)QuantizedActivations.Epsilon);
        TernaryMatmulCuda.Multiply(call, arrays, cuda, bytes, words, scales);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => throw new NotSupportedException("packed_bitlinear has no gradients.");
}
