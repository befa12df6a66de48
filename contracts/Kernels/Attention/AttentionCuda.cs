using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Attention on a card in float32, tiles of 32 queries by 32 keys in shared memory. No tensor cores: right, and not yet fast.</summary>
internal sealed class AttentionCuda : CudaKernel
{
    private const int Tile = 32;
    private const int Threads = 128;
    private const int MostDims = 128;
    private const int RowBytes = (MostDims + 1) * sizeof(float);
    private const int ScoreBytes = Tile * (Tile + 1) * sizeof(float);
    private const string LogSums = "log_sums";

    public override string SourceName => "Attention.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(LogSums, call.Size("B"), call.Size("H"), call.Size("L"))];

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.Size("D") > MostDims ? $"heads are {call.Size("D")} wide; the cuda backend takes at most {MostDims}"
        : call.Size("B") * call.Size("H") > ushort.MaxValue
            ? $"batch times heads is {call.Size("B") * call.Size("H")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => cuda.Launch(
        "attention_forward", new CudaSize(CudaSize.Pieces(call.Size("L"), Tile), call.Count("B") * call.Count("H")), Threads, 2 * Tile * RowBytes + ScoreBytes,
        [arrays["q"], arrays["k"], arrays["v"], arrays["y"], arrays[LogSums], .. Sizes(call)]);

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (gradQ, gradK, gradV, gradY) = (arrays.Gradient("q"), arrays.Gradient("k"), arrays.Gradient("v"), arrays.Gradient("y"));
        if (!gradY.IsPresent)
        {
            foreach (var unreached in new[] { gradQ, gradK, gradV }.Where(g => g.IsPresent))
                cuda.Clear(unreached);
            return;
        }
        var rows = call.Size("B") * call.Size("H") * call.Size("L");
        var shifts = cuda.Scratch(Math.Max(1, rows));
        cuda.Launch(
            "attention_shifts", CudaSize.Pieces(rows, Threads), Threads, 0,
            arrays["y"], gradY, shifts, rows, call.Count("L"), call.Count("H"), call.Count("D"));
        CudaArgument[] given = [arrays["q"], arrays["k"], arrays["v"], gradY, arrays[LogSums], shifts];
        if (gradQ.IsPresent)
        {
            cuda.Launch(
                "attention_grad_q", new CudaSize(CudaSize.Pieces(call.Size("L"), Tile), call.Count("B") * call.Count("H")), Threads,
                4 * Tile * RowBytes + ScoreBytes, [.. given, gradQ, .. Sizes(call)]);
        }
        if (gradK.IsPresent || gradV.IsPresent)
        {
            cuda.Launch(
                "attention_grad_kv", new CudaSize(CudaSize.Pieces(call.Size("N"), Tile), call.Count("B") * call.Count("G")), Threads,
                4 * Tile * RowBytes + 2 * ScoreBytes, [.. given, gradK, gradV, .. Sizes(call)]);
        }
    }

    private static CudaArgument[] Sizes(OpCall call) =>
    [
        call.Count("L"), call.Count("N"), call.Count("H"), call.Count("G"), call.Count("D"), Attention.IsCausal(call.Options) ? 1 : 0, (float)Attention.Scale(call),
    ];
}
