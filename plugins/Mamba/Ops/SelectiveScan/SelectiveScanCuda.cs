using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan on a card: a few threads share a channel's states, and time goes step by step.</summary>
/// <param name="timeLast">The layout.</param>
internal sealed class SelectiveScanCuda(bool timeLast) : CudaKernel
{
    private const string Starts = "starts";
    private const int Threads = 256;
    private const int Lanes = 32;
    private const int ChunkLength = 32;    // Chunk in the .cu
    private const int TileSteps = 8;
    private const int MostStates = 256;
    private const int MostSharedBytes = 48 << 10;

    public override string SourceName => "SelectiveScan.cu";

    /// <summary>States at the start of every 32nd step.</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) =>
        [new(Starts, call.Size("B"), (call.Size("L") + ChunkLength - 1) / ChunkLength, call.Size("D"), call.Size("N"))];

    protected override string? RejectCall(OpCall call, ICudaDevice device) =>
        call.Size("N") > MostStates ? $"there are {call.Size("N")} states; the cuda backend takes at most {MostStates}"
        : call.Size("B") > ushort.MaxValue ? $"the batch is {call.Size("B")}; the cuda backend takes at most {ushort.MaxValue}"
        : null;

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var plan = new Plan(call, arrays, timeLast);
        cuda.Launch(
            "selective_scan_forward" + plan.Suffix, plan.Grid, Threads, 0,
            arrays["u"], arrays["delta"], arrays["A"], arrays["B"], arrays["C"], arrays["D"], arrays["z"], arrays["delta_bias"],
            arrays["initial_state"], arrays["y"], arrays["last_state"], arrays[Starts], plan.Softplus, plan.BIsGrouped, plan.CIsGrouped,
            plan.Channels, plan.States, plan.Length, plan.Groups, plan.Width, plan.TimeLast);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var plan = new Plan(call, arrays, timeLast);
        long perSequence = (long)plan.Channels * plan.States, shared = (long)plan.Batch * plan.Blocks * plan.Length * plan.States;
        var (sumA, sumSkip, sumBias) = (cuda.Scratch(plan.Batch * perSequence), cuda.Scratch((long)plan.Batch * plan.Channels), cuda.Scratch((long)plan.Batch * plan.Channels));
        var (sumB, sumC) = (cuda.Scratch(shared), cuda.Scratch(shared));
        cuda.Launch(
            "selective_scan_backward" + plan.Suffix, plan.Grid, Threads, 2 * TileSteps * plan.States * (Threads / plan.Width) * sizeof(float),
            arrays["u"], arrays["delta"], arrays["A"], arrays["B"], arrays["C"], arrays["D"], arrays["z"], arrays["delta_bias"],
            arrays[Starts], arrays.Gradient("y"), arrays.Gradient("last_state"), arrays.Gradient("u"), arrays.Gradient("delta"),
            arrays.Gradient("z"), arrays.Gradient("initial_state"), sumA, sumSkip, sumBias, sumB, sumC,
            plan.Softplus, plan.BIsGrouped, plan.CIsGrouped, plan.Channels, plan.States, plan.Length, plan.Groups, plan.Width, plan.TimeLast);
        SumBatch(arrays.Gradient("A"), sumA, perSequence);
        SumBatch(arrays.Gradient("D"), sumSkip, plan.Channels);
        SumBatch(arrays.Gradient("delta_bias"), sumBias, plan.Channels);
        SumShared(arrays.Gradient("B"), sumB, plan.BIsGrouped);
        SumShared(arrays.Gradient("C"), sumC, plan.CIsGrouped);

        void SumBatch(KernelArray gradient, KernelArray sums, long count)
        {
            if (gradient.IsPresent)
                cuda.Launch("selective_scan_sum_batch", CudaSize.Pieces(count, Threads), Threads, 0, sums, gradient, plan.Batch, count);
        }

        void SumShared(KernelArray gradient, KernelArray sums, int isGrouped)
        {
            if (!gradient.IsPresent)
                return;
            var groups = isGrouped != 0 ? plan.Groups : 1;
            var count = (long)plan.Batch * groups * plan.States * plan.Length;
            cuda.Launch(
                "selective_scan_sum_shared", CudaSize.Pieces(count, Threads), Threads, 0,
                sums, gradient, plan.Blocks, plan.Batch, groups, plan.States, plan.Length, plan.TimeLast);
        }
    }

    /// <summary>Sizes, and how the work is cut.</summary>
    private readonly struct Plan
    {
        public Plan(OpCall call, KernelArrays arrays, bool timeLast)
        {
            var sizes = new ScanSizes(call, timeLast, arrays);
            (Batch, Channels, States, Length, Groups) = (sizes.Batch, sizes.Channels, sizes.States, sizes.Length, sizes.Groups);
            (BIsGrouped, CIsGrouped) = (sizes.BIsGrouped ? 1 : 0, sizes.CIsGrouped ? 1 : 0);
            Softplus = call.Options.Get("delta_softplus", false) ? 1 : 0;
            TimeLast = timeLast ? 1 : 0;
            Width = 1;
            while (Width < Math.Min(States, Lanes))
                Width *= 2;
            // Fewer channels a block where they have many states: a tile of their gradients must fit the shared memory that needs no asking for.
            while (Width < Lanes && 2 * TileSteps * States * (Threads / Width) * sizeof(float) > MostSharedBytes)
                Width *= 2;
            Blocks = Groups * CudaSize.Pieces(sizes.ChannelsPerGroup, Threads / Width);
        }

        public int Batch { get; }

        public int Channels { get; }

        public int States { get; }

        public int Length { get; }

        public int Groups { get; }

        public int BIsGrouped { get; }

        public int CIsGrouped { get; }

        public int Softplus { get; }

        public int TimeLast { get; }

        /// <summary>Threads of a channel.</summary>
        public int Width { get; }

        public int Blocks { get; }

        public CudaSize Grid => new(Blocks, Batch);

        /// <summary>Which kernels: one state a thread, or up to eight.</summary>
        public string Suffix => States > Lanes ? "_wide" : "";
    }
}
