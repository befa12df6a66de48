using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan on a card: four threads share a channel, time goes in tiles whose numbers lie in shared memory.</summary>
/// <param name="timeLast">The layout.</param>
internal sealed class SelectiveScanCuda(bool timeLast) : CudaKernel
{
    private const string Starts = "starts";
    private const int Threads = 128;
    private const int ThreadsOfSum = 256;
    private const int ChannelsOfBlock = 32;
    private const int StatesOfPass = 16;
    private const int ChunkLength = 32;         // Chunk in the .cu
    private const int BackwardBytes = 55040;    // Tiles in the .cu
    private const int MostStates = 256;

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
            plan.Name + "_forward", plan.Grid, Threads, 0,
            arrays["u"], arrays["delta"], arrays["A"], arrays["B"], arrays["C"], arrays["D"], arrays["z"], arrays["delta_bias"],
            arrays["initial_state"], arrays["y"], arrays["last_state"], arrays[Starts], plan.Softplus, plan.BIsGrouped, plan.CIsGrouped,
            plan.Channels, plan.States, plan.Length, plan.Groups);
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var plan = new Plan(call, arrays, timeLast);
        var (gradInitial, gradB, gradC) = (arrays.Gradient("initial_state"), arrays.Gradient("B"), arrays.Gradient("C"));
        long perSequence = (long)plan.Channels * plan.States, shared = (long)plan.Batch * plan.Blocks * plan.Length * plan.States;
        var (sumA, sumSkip, sumBias) = (cuda.Scratch(plan.Batch * perSequence), cuda.Scratch((long)plan.Batch * plan.Channels), cuda.Scratch((long)plan.Batch * plan.Channels));
        var (sumB, sumC) = (gradB.IsPresent ? cuda.Scratch(shared) : default, gradC.IsPresent ? cuda.Scratch(shared) : default);
        // What several passes over the states carry from tile to tile is the gradient of the initial state in the end.
        var carry = gradInitial.IsPresent || plan.States <= StatesOfPass ? gradInitial : cuda.Scratch(plan.Batch * perSequence);
        cuda.Launch(
            plan.Name + "_backward", plan.Grid, Threads, BackwardBytes,
            arrays["u"], arrays["delta"], arrays["A"], arrays["B"], arrays["C"], arrays["D"], arrays["z"], arrays["delta_bias"],
            arrays[Starts], arrays.Gradient("y"), arrays.Gradient("last_state"), arrays.Gradient("u"), arrays.Gradient("delta"),
            arrays.Gradient("z"), carry, sumA, sumSkip, sumBias, sumB, sumC,
            plan.Softplus, plan.BIsGrouped, plan.CIsGrouped, plan.Channels, plan.States, plan.Length, plan.Groups);
        SumBatch(arrays.Gradient("A"), sumA, perSequence);
        SumBatch(arrays.Gradient("D"), sumSkip, plan.Channels);
        SumBatch(arrays.Gradient("delta_bias"), sumBias, plan.Channels);
        SumShared(gradB, sumB, plan.BIsGrouped);
        SumShared(gradC, sumC, plan.CIsGrouped);

        void SumBatch(KernelArray gradient, KernelArray sums, long count)
        {
            if (gradient.IsPresent)
                cuda.Launch("selective_scan_sum_batch", CudaSize.Pieces(count, ThreadsOfSum), ThreadsOfSum, 0, sums, gradient, plan.Batch, count);
        }

        void SumShared(KernelArray gradient, KernelArray sums, int isGrouped)
        {
            if (!gradient.IsPresent)
                return;
            var groups = isGrouped != 0 ? plan.Groups : 1;
            var count = (long)plan.Batch * groups * plan.States * plan.Length;
            cuda.Launch(
                "selective_scan_sum_shared", CudaSize.Pieces(count, ThreadsOfSum), ThreadsOfSum, 0,
                sums, gradient, plan.Blocks, plan.Batch, groups, plan.States, plan.Length, timeLast ? 1 : 0);
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
            Name = timeLast ? "selective_scan" : "selective_scan_tokens";
            Blocks = Groups * CudaSize.Pieces(sizes.ChannelsPerGroup, ChannelsOfBlock);
        }

        /// <summary>First part of the kernels' names.</summary>
        public string Name { get; }

        public int Batch { get; }

        public int Channels { get; }

        public int States { get; }

        public int Length { get; }

        public int Groups { get; }

        public int BIsGrouped { get; }

        public int CIsGrouped { get; }

        public int Softplus { get; }

        public int Blocks { get; }

        public CudaSize Grid => new(Blocks, Batch);
    }
}
