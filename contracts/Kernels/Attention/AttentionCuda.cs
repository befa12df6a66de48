using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Attention on a card: scores stay in registers, products are on tensor cores and as exact as float32.</summary>
internal sealed class AttentionCuda : CudaKernel
{
    private const int Threads = 128;
    private const int MostDims = 128;
    private const int NarrowDims = 64;                       // of heads that the kernels for 64 take
    private const int Tile = 64;                             // queries or keys of a block
    private const int LanesOfShift = 8;
    private const int SharedRows = 192;                      // of queries and keys together
    private const string LogSums = "log_sums";

    public override string SourceName => "Attention.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(LogSums, call.Size("B"), call.Size("H"), call.Size("L"))];

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.Size("D") > MostDims ? $"heads are {call.Size("D")} wide; the cuda backend takes at most {MostDims}"
        : call.Size("B") * call.Size("H") > ushort.MaxValue
            ? $"batch times heads is {call.Size("B") * call.Size("H")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda) => Launch(
        call, cuda, "attention_forward", call.Size("L"), IsNarrow(call) ? 2 * Tile : Tile, call.Count("H"),
        [arrays["q"], arrays["k"], arrays["v"], arrays["y"], arrays[LogSums]]);

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
            "attention_shifts", CudaSize.Pieces(rows * LanesOfShift, Threads), Threads, 0,
            arrays["y"], gradY, shifts, rows, call.Count("L"), call.Count("H"), call.Count("D"));
        CudaArgument[] given = [arrays["q"], arrays["k"], arrays["v"], gradY, arrays[LogSums], shifts];
        if (gradQ.IsPresent)
            Launch(call, cuda, "attention_grad_q", call.Size("L"), Tile, call.Count("H"), [.. given, gradQ]);
        if (gradK.IsPresent || gradV.IsPresent)
            Launch(call, cuda, "attention_grad_kv", call.Size("N"), Tile, call.Count("G"), [.. given, gradK, gradV]);
    }

    /// <summary>A block for so many rows of a head of a sequence.</summary>
    private static void Launch(OpCall call, CudaLauncher cuda, string kernel, long rows, int rowsOfBlock, int heads, CudaArgument[] arrays) => cuda.Launch(
        kernel + (IsNarrow(call) ? "_64" : "_128"), new CudaSize(CudaSize.Pieces(rows, rowsOfBlock), call.Count("B") * heads), Threads,
        SharedRows * ((IsNarrow(call) ? NarrowDims : MostDims) + 4) * sizeof(float), [.. arrays, .. Sizes(call)]);

    private static bool IsNarrow(OpCall call) => call.Size("D") <= NarrowDims;

    private static CudaArgument[] Sizes(OpCall call) =>
    [
        call.Count("L"), call.Count("N"), call.Count("H"), call.Count("G"), call.Count("D"), Attention.IsCausal(call.Options) ? 1 : 0, (float)Attention.Scale(call),
    ];
}
