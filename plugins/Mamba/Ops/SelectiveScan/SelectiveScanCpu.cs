using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.SelectiveScan;

/// <summary>The selective scan in C#: vectors over channels, states in registers, and states recomputed in the backward.</summary>
/// <param name="timeLast">The layout.</param>
internal sealed unsafe class SelectiveScanCpu(bool timeLast) : OpKernel
{
    private const string Starts = "starts";

    public override string Backend => KernelChoice.Cpu;

    /// <summary>States at the start of every chunk; a chunk is 32 steps, 16 with vectors of 512 bits.</summary>
    public override IReadOnlyList<KernelArraySpec> Saved(OpCall call) => [new(Starts, new ScanSizes(call, timeLast).StartsLength)];

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var s = new ScanSizes(call, timeLast, arrays);
        using var packedA = new Scratch((long)s.Panels * s.PanelStates);
        using var shared = new Scratch((long)s.Batch * s.Groups * s.Length * s.StepPairs);
        Pack(s, arrays, packedA.Start, shared.Start);
        var whole = new ScanForward
        {
            Sizes = s,
            Softplus = call.Options.Get("delta_softplus", false),
            U = arrays["u"].Float32,
            Delta = arrays["delta"].Float32,
            Z = arrays["z"].Float32,
            Y = arrays["y"].Float32,
            PackedA = packedA.Start,
            Shared = shared.Start,
            Skip = arrays["D"].Float32,
            Bias = arrays["delta_bias"].Float32,
            Initial = arrays["initial_state"].Float32,
            Last = arrays["last_state"].Float32,
            Starts = arrays[Starts].Float32,
        };
        WorkShare.For(s.Batch * s.Panels, item => Simd.Run(whole with { Batch = item / s.Panels, Panel = item % s.Panels }));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        var s = new ScanSizes(call, timeLast, arrays);
        var items = (long)s.Batch * s.Panels;
        var channels = items * s.BlocksPerPanel * s.Width;
        using var packedA = new Scratch((long)s.Panels * s.PanelStates);
        using var shared = new Scratch((long)s.Batch * s.Groups * s.Length * s.StepPairs);
        using var sumA = new Scratch(items * s.PanelStates);
        using var sumShared = new Scratch(items * s.Length * s.StepPairs);
        using var sumSkip = new Scratch(channels);
        using var sumBias = new Scratch(channels);
        Pack(s, arrays, packedA.Start, shared.Start);
        var whole = new ScanBackward
        {
            Sizes = s,
            Softplus = call.Options.Get("delta_softplus", false),
            U = arrays["u"].Float32,
            Delta = arrays["delta"].Float32,
            Z = arrays["z"].Float32,
            PackedA = packedA.Start,
            Shared = shared.Start,
            Skip = arrays["D"].Float32,
            Bias = arrays["delta_bias"].Float32,
            Starts = arrays[Starts].Float32,
            GradY = arrays.Gradient("y").Float32,
            GradLast = arrays.Gradient("last_state").Float32,
            GradU = arrays.Gradient("u").Float32,
            GradDelta = arrays.Gradient("delta").Float32,
            GradZ = arrays.Gradient("z").Float32,
            GradInitial = arrays.Gradient("initial_state").Float32,
            SumA = sumA.Start,
            SumShared = sumShared.Start,
            SumSkip = sumSkip.Start,
            SumBias = sumBias.Start,
        };
        WorkShare.For((int)items, item => Simd.Run(whole with { Batch = item / s.Panels, Panel = item % s.Panels }));

        if (arrays.Gradient("A").Float32 is var gradA && gradA != null)
            ScanPacking.SumA(s, sumA.Start, gradA);
        float* gradB = arrays.Gradient("B").Float32, gradC = arrays.Gradient("C").Float32;
        if (gradB != null || gradC != null)
        {
            var sums = sumShared.Start;
            WorkShare.For(s.Batch, batch => ScanPacking.SumShared(s, sums, batch, gradB, gradC));
        }
        if (arrays.Gradient("D").Float32 is var gradSkip && gradSkip != null)
            ScanPacking.SumChannels(s, sumSkip.Start, gradSkip);
        if (arrays.Gradient("delta_bias").Float32 is var gradBias && gradBias != null)
            ScanPacking.SumChannels(s, sumBias.Start, gradBias);
    }

    private static void Pack(ScanSizes s, KernelArrays arrays, float* packedA, float* shared)
    {
        ScanPacking.PackA(s, arrays["A"].Float32, packedA);
        float* b = arrays["B"].Float32, c = arrays["C"].Float32;
        var length = (long)s.Length * s.StepPairs;
        WorkShare.For(s.Batch * s.Groups, i => ScanPacking.PackShared(s, b, c, i / s.Groups, i % s.Groups, shared + i * length));
    }
}
