using Zoo.Kernels.Cuda;

namespace Zoo.Kernels;

/// <summary>Cross-entropy on a card: products on tensor cores, as exact as float32; backward goes through the vocabulary by chunks.</summary>
internal sealed class CrossEntropyCuda : CudaKernel
{
    /// <summary>Entries of a chunk, with which the tiles of the matrix's gradient fill large cards twice where hidden states are 1,024 wide.</summary>
    private const int ChunkSize = 6144;

    private const int Threads = 256;
    private const int FoldRows = 32;
    private const int FoldParts = 8;
    private const int PartBytes = 2 * sizeof(float);
    private const string LogSums = "log_sums";

    private static readonly CudaSize FoldThreads = new(FoldRows, FoldParts);

    public override string SourceName => "CrossEntropy.cu";

    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(LogSums, call.Size("L"))];

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var (rows, dims, vocabulary) = (call.Count("L"), call.Count("D"), call.Count("E"));
        var plan = new ProductPlan(rows, vocabulary, cuda.Device);
        var parts = cuda.Scratch(Math.Max(1, (long)rows * plan.Across), PartBytes);
        var losses = cuda.Scratch(Math.Max(1, rows));
        var logSums = arrays[LogSums].IsPresent ? arrays[LogSums] : cuda.Scratch(Math.Max(1, rows));
        plan.Launch(
            cuda, "cross_entropy_parts", arrays["hidden"], arrays["weight"], arrays["bias"], arrays["targets"], parts, losses, rows, vocabulary, dims);
        cuda.Launch("cross_entropy_fold", CudaSize.Pieces(rows, FoldRows), FoldThreads, 0, parts, losses, logSums, rows, plan.Across);
        cuda.Launch("cross_entropy_mean", 1, Threads, 0, losses, arrays["loss"], rows);
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
        var (hidden, bias) = (arrays["hidden"], arrays["bias"]);
        var grads = cuda.Scratch((long)rows * Math.Min(ChunkSize, vocabulary));
        for (var first = 0; first < vocabulary; first += ChunkSize)
        {
            var entries = Math.Min(ChunkSize, vocabulary - first);
            var weight = arrays["weight"].Slice((long)first * dims, (long)entries * dims);
            new ProductPlan(rows, entries, cuda.Device).Launch(
                cuda, "cross_entropy_gradients", hidden, weight, bias.IsPresent ? bias.Slice(first, entries) : bias, arrays["targets"], arrays[LogSums],
                arrays.Gradient("loss"), grads, rows, first, entries, dims);
            if (gradHidden.IsPresent)
            {
                new ProductPlan(rows, dims, cuda.Device).Launch(
                    cuda, "cross_entropy_grad_hidden", grads, weight, gradHidden, rows, entries, dims, first > 0 ? 1 : 0);
            }
            if (gradWeight.IsPresent)
            {
                new ProductPlan(entries, dims, cuda.Device).Launch(
                    cuda, "cross_entropy_grad_weight", grads, hidden, gradWeight.Slice((long)first * dims, (long)entries * dims), rows, entries, dims);
            }
            if (gradBias.IsPresent)
                cuda.Launch("cross_entropy_grad_bias", CudaSize.Pieces(entries, FoldRows), FoldThreads, 0, grads, gradBias.Slice(first, entries), rows, entries);
        }
    }
}
