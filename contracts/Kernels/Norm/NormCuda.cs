using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Both normalisations on a card: a block a row forward, some rows a block backward.</summary>
/// <param name="centre">Whether the mean is taken off: layer normalisation.</param>
internal sealed class NormCuda(bool centre) : CudaKernel
{
    private const int Threads = 256;
    private const int BlocksOfMultiprocessor = 4;
    private const string Means = "means";
    private const string Rates = "rates";

    public override string SourceName => "Norm.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var rates = new KernelArraySpec(Rates, call.Size("B"), call.Size("L"));
        return centre ? [rates, rates with { Name = Means }] : [rates];
    }

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("B") * call.Size("L") > int.MaxValue
        ? $"there are {call.Size("B") * call.Size("L")} rows; the cuda backend takes at most {int.MaxValue}"
        : null;

    public override bool ReadsOutput(string output) => output == "sum";

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "norm_forward", call.Count("B") * call.Count("L"), Threads, 0,
        arrays["x"], arrays["residual"], arrays["weight"], arrays["bias"], arrays["y"], arrays["sum"], arrays[Means], arrays[Rates],
        call.Count("D"), centre ? 1 : 0, (float)NormSizes.Epsilon(call.Options));

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (rows, dims) = (call.Size("B") * call.Size("L"), call.Count("D"));
        var room = cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor;
        var rowsOfBlock = (int)Math.Max(1, (rows + room - 1) / room);
        var blocks = (int)((rows + rowsOfBlock - 1) / rowsOfBlock);
        var (gradWeight, gradBias) = (arrays.Gradient("weight"), arrays.Gradient("bias"));
        KernelArray Parts(KernelArray target) => target.IsPresent ? cuda.Scratch((long)Math.Max(1, blocks) * dims) : default;
        var (weightParts, biasParts) = (Parts(gradWeight), Parts(gradBias));
        cuda.Launch(
            "norm_backward", blocks, Threads, 0,
            call.Has("residual") ? arrays["sum"] : arrays["x"], arrays["weight"], arrays[Means], arrays[Rates], arrays.Gradient("y"),
            arrays.Gradient("sum"), arrays.Gradient("x"), arrays.Gradient("residual"), weightParts, biasParts, rows, rowsOfBlock, dims);
        foreach (var (parts, target) in new[] { (weightParts, gradWeight), (biasParts, gradBias) })
        {
            if (target.IsPresent)
                cuda.Launch("norm_columns", CudaSize.Pieces(dims, Threads), Threads, 0, parts, target, blocks, dims);
        }
    }
}
