using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.MatMulFree.Ops.SwishNorm;

/// <summary>The gated norm on a card: a block a row forward, some rows a block backward.</summary>
internal sealed class SwishNormCuda : CudaKernel
{
    private const int Threads = 256;
    private const int BlocksOfMultiprocessor = 4;

    public override string SourceName => "SwishNorm.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") * call.Size("L") > int.MaxValue
        ? $"there are {call.Size("B") * call.Size("L")} rows; the cuda backend takes at most {int.MaxValue}"
        : null;

    public override bool ReadsOutput(string output) => false;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "swish_norm_forward", call.Count("B") * call.Count("L"), Threads, 0,
        arrays["x"], arrays["gate"], arrays["weight"], arrays["y"], call.Count("D"), (float)SwishNormOp.Epsilon(call));

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (rows, dims, given) = (call.Size("B") * call.Size("L"), call.Count("D"), arrays.Gradient("y"));
        var (gradX, gradGate, gradWeight) = (arrays.Gradient("x"), arrays.Gradient("gate"), arrays.Gradient("weight"));
        if (!given.IsPresent || rows == 0)
        {
            cuda.Clear(gradX);
            cuda.Clear(gradGate);
            cuda.Clear(gradWeight);
            return;
        }
        var room = cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor;
        var rowsOfBlock = (int)Math.Max(1, (rows + room - 1) / room);
        var blocks = CudaSize.Pieces(rows, rowsOfBlock);
        var parts = gradWeight.IsPresent ? cuda.Scratch((long)blocks * dims) : default;
        cuda.Launch(
            "swish_norm_backward", blocks, Threads, 0,
            arrays["x"], arrays["gate"], arrays["weight"], given, gradX, gradGate, parts, rows, rowsOfBlock, dims, (float)SwishNormOp.Epsilon(call));
        if (gradWeight.IsPresent)
            cuda.Launch("swish_norm_columns", CudaSize.Pieces(dims, Threads), Threads, 0, parts, gradWeight, blocks, dims);
    }
}
