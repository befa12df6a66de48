using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Cross-entropy on a card in float32, a chunk of the vocabulary after the other. No tensor cores: right, and not yet fast.</summary>
internal sealed class CrossEntropyCuda : CudaKernel
{
    private const int ChunkSize = 4096;
    private const int Tile = 32;
    private const int Threads = 256;
    private const string LogSums = "log_sums";

    private static readonly CudaSize TileThreads = new(32, 8);

    public override string SourceName => "CrossEntropy.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(LogSums, call.Size("L"))];

    protected override string? RejectCall(OpCall call, ICudaDevice device) => call.Size("L") > ushort.MaxValue * (long)Tile
        ? $"there are {call.Size("L")} rows; the cuda backend takes at most {ushort.MaxValue * (long)Tile}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (rows, dims, vocabulary) = (call.Count("L"), call.Count("D"), call.Count("E"));
        var logits = cuda.Scratch(Math.Max(1, (long)rows * Math.Min(ChunkSize, vocabulary)));
        var (largest, sums, targetLogits) = (cuda.Scratch(Math.Max(1, rows)), cuda.Scratch(Math.Max(1, rows)), cuda.Scratch(Math.Max(1, rows)));
        for (var first = 0; first < vocabulary; first += ChunkSize)
        {
            var entries = Math.Min(ChunkSize, vocabulary - first);
            Logits(arrays, cuda, logits, rows, first, entries, dims);
            cuda.Launch(
                "cross_entropy_fold", rows, Threads, 0, logits, Bias(arrays["bias"], first, entries), arrays["targets"], largest, sums, targetLogits, first, entries);
        }
        cuda.Launch("cross_entropy_mean", 1, Threads, 0, largest, sums, targetLogits, arrays[LogSums], arrays["loss"], rows);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (rows, dims, vocabulary) = (call.Count("L"), call.Count("D"), call.Count("E"));
        var (gradHidden, gradWeight, gradBias) = (arrays.Gradient("hidden"), arrays.Gradient("weight"), arrays.Gradient("bias"));
        if (!arrays.Gradient("loss").IsPresent || rows == 0)
        {
            foreach (var unreached in new[] { gradHidden, gradWeight, gradBias }.Where(g => g.IsPresent))
                cuda.Clear(unreached);
            return;
        }
        var grads = cuda.Scratch((long)rows * Math.Min(ChunkSize, vocabulary));
        for (var first = 0; first < vocabulary; first += ChunkSize)
        {
            var entries = Math.Min(ChunkSize, vocabulary - first);
            Logits(arrays, cuda, grads, rows, first, entries, dims);
            cuda.Launch(
                "cross_entropy_softmax", CudaSize.Pieces((long)rows * entries, Threads), Threads, 0,
                grads, Bias(arrays["bias"], first, entries), arrays["targets"], arrays[LogSums], arrays.Gradient("loss"), rows, first, entries);
            var weight = arrays["weight"].Slice((long)first * dims, (long)entries * dims);
            if (gradHidden.IsPresent)
                cuda.Launch("cross_entropy_grad_hidden", Tiles(dims, rows), TileThreads, 0, grads, weight, gradHidden, rows, entries, dims, first > 0 ? 1 : 0);
            if (gradWeight.IsPresent)
            {
                cuda.Launch(
                    "cross_entropy_grad_weight", Tiles(dims, entries), TileThreads, 0,
                    grads, arrays["hidden"], gradWeight.Slice((long)first * dims, (long)entries * dims), rows, entries, dims);
            }
            if (gradBias.IsPresent)
                cuda.Launch("cross_entropy_grad_bias", CudaSize.Pieces(entries, Threads), Threads, 0, grads, gradBias.Slice(first, entries), rows, entries);
        }
    }

    private static void Logits(KernelArrays arrays, CudaLauncher cuda, KernelArray logits, int rows, int first, int entries, int dims) => cuda.Launch(
        "cross_entropy_logits", Tiles(entries, rows), TileThreads, 0,
        arrays["hidden"], arrays["weight"].Slice((long)first * dims, (long)entries * dims), logits, rows, entries, dims);

    private static KernelArray Bias(KernelArray bias, int first, int entries) => bias.IsPresent ? bias.Slice(first, entries) : bias;

    private static CudaSize Tiles(int columns, int rows) => new(CudaSize.Pieces(columns, Tile), CudaSize.Pieces(rows, Tile));
}
