using Zoo.Kernels;
using Zoo.Kernels.Cuda;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The norm of heads on a card: a warp a row; in backward a block has some steps of one head.</summary>
internal sealed class HeadNormCuda : CudaKernel
{
    private const string Means = "means";
    private const string Rates = "rates";
    private const int Lanes = 32;
    private const int MostWarps = 8;
    private const int MostSharedBytes = 48 << 10;
    private const int RowsOfWarp = 3;           // of shared memory
    private const int MostDim = MostSharedBytes / (RowsOfWarp * sizeof(float));
    private const int BlocksOfMultiprocessor = 4;

    public override string SourceName => "HeadNorm.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call)
    {
        var rates = new KernelArraySpec(Rates, call.Size("B"), call.Size("H"), call.Size("L"));
        return [rates, rates with { Name = Means }];
    }

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.Size("D") > MostDim ? $"heads are {call.Size("D")} wide; the cuda backend takes at most {MostDim}"
        : call.Size("H") > ushort.MaxValue ? $"there are {call.Size("H")} heads; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var rows = call.Size("B") * call.Size("L") * call.Size("H");
        cuda.Launch(
            "head_norm_forward", CudaSize.Pieces(rows, MostWarps), MostWarps * Lanes, 0,
            arrays["h"], arrays["weight"], arrays["skip"], arrays["conv"], arrays["gate"], arrays["y"], arrays[Means], arrays[Rates], rows,
            call.Count("H"), call.Count("L"), call.Count("D"), IsSilu(call), HeadNorm.Offset(call.Options), HeadNorm.Epsilon(call.Options));
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        int heads = call.Count("H"), dim = call.Count("D"), warps = MostWarps;
        while (warps * RowsOfWarp * dim * sizeof(float) > MostSharedBytes)
            warps /= 2;
        var steps = call.Size("B") * call.Size("L");
        var (pieces, stepsOfBlock) = Pieces.Of(steps, cuda.Device.MultiprocessorCount * BlocksOfMultiprocessor / Math.Max(1, heads), warps);
        var (gradWeight, gradSkip) = (arrays.Gradient("weight"), arrays.Gradient("skip"));
        var (weights, skips) = (Pieces.For(cuda, gradWeight, pieces), Pieces.For(cuda, gradSkip, pieces));
        cuda.Launch(
            "head_norm_backward", new CudaSize(pieces, heads), warps * Lanes, warps * RowsOfWarp * dim * sizeof(float),
            arrays["h"], arrays["weight"], arrays["skip"], arrays["conv"], arrays["gate"], arrays[Means], arrays[Rates], arrays.Gradient("y"),
            arrays.Gradient("h"), arrays.Gradient("conv"), arrays.Gradient("gate"), weights, skips, steps, stepsOfBlock,
            heads, call.Count("L"), dim, IsSilu(call), HeadNorm.Offset(call.Options));
        Pieces.Sum(cuda, weights, 0, gradWeight, pieces, gradWeight.Length);
        Pieces.Sum(cuda, skips, 0, gradSkip, pieces, gradSkip.Length);
    }

    private static int IsSilu(OpCall call) => HeadNorm.Gate(call.Options) == HeadGate.Silu ? 1 : 0;
}
