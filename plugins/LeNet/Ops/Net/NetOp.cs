using Zoo.Kernels;

namespace Zoo.LeNet.Ops.Net;

/// <summary>The whole net of 1989 as one op: images to outputs. Its kernel keeps everything of an image in the nearest cache.</summary>
internal sealed class NetOp : Op
{
    public static NetOp Instance { get; } = new();

    public override string Name => "lenet1989_net";

    public override string Title => "The net of 1989 from images to outputs, forward and backward";

    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "1", "16", "16"),
        new("H1w", "12", "1", "5", "5"), new("H1b", "12", "8", "8"),
        new("H2w", "12", "8", "5", "5"), new("H2b", "12", "4", "4"),
        new("H3w", "192", "30"), new("H3b", "30"),
        new("outw", "30", "10"), new("outb", "10"),
        new("kept", "B", "192") { Optional = true, HasGradient = false },
    ];

    public override IReadOnlyList<string> Options { get; } = ["relu", "tanh_outputs", "hidden_border"];

    public override IReadOnlyList<string> Outputs { get; } = ["logits"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new NetCpu(), new NetCuda()];

    /// <summary>The form that options describe.</summary>
    public static NetForm FormOf(OpOptions options) =>
        new(options.Get("relu", false), options.Get("tanh_outputs", true), (float)options.Get("hidden_border", -1.0));

    public override OpCost Floor(OpCall call, bool backward)
    {
        // Multiplications by a weight: forward once; backward for every weight's gradient and, but for H1, for every input's.
        const double macs = 63_660, h1Macs = 19_200, parameters = 9_760;
        var images = call.Size("B");
        var flops = 2 * macs + (backward ? 2 * (2 * macs - h1Macs) : 0);
        return new OpCost(Bytes: 4 * (images * (256 + 10) + parameters) * (backward ? 2 : 1), Flops: images * flops, Exponentials: images * 1000);
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("logits", call.Size("B"), 10)];

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        new() { ["logits"] = NetReference.Forward(inputs, FormOf(options)) };
}
