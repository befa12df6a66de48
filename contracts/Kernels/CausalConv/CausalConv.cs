using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>A causal depthwise convolution over time: each channel is a weighted sum of its last few inputs, with SiLU after it where asked.</summary>
/// <remarks>
/// The short convolution of Mamba, xLSTM, minGRU and others, on [batch, time, dim]. What an input before the first step would be is zero, or
/// given, so that a sequence goes on where another ended. README.md beside this file derives the backward and has measurements.
/// </remarks>
public sealed class CausalConv : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static CausalConv Instance { get; } = new();

    private static readonly OpOptions WithSilu = new(new JsonObject { ["silu"] = true });

    private CausalConv()
    {
    }

    /// <inheritdoc/>
    public override string Name => "causal_conv1d";

    /// <inheritdoc/>
    public override string Title => "Causal depthwise convolution over time, with bias and SiLU";

    /// <summary>
    /// x, [batch, time, dim]; weight, [dim, width], its last column for the present input; bias, [dim], 0 where it is not given; initial,
    /// [batch, width, dim], the last inputs before the first step, of which the first is too far back to matter.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "L", "D"), new("weight", "D", "K"), new("bias", "D") { Optional = true }, new("initial", "B", "K", "D") { Optional = true },
    ];

    /// <summary>silu: whether SiLU follows.</summary>
    public override IReadOnlyList<string> Options { get; } = ["silu"];

    /// <summary>y, as x; last, [batch, width, dim], the last inputs, for the sequence to go on.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "last"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new CausalConvCpu(), new CausalConvCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("libtorch-fp32", (inputs, options) => CausalConvReference.Libtorch(inputs, options.Get("silu", false)))];

    /// <summary>Runs the convolution.</summary>
    /// <param name="x">[batch, time, dim].</param>
    /// <param name="weight">[dim, width], its last column for the present input.</param>
    /// <param name="bias">[dim], or null.</param>
    /// <param name="silu">Whether SiLU follows.</param>
    /// <param name="initial">The last inputs before the first step, [batch, width, dim]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y, [batch, time, dim], and the last inputs, [batch, width, dim].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these inputs.</exception>
    public static (Tensor Y, Tensor Last) Apply(
        Tensor x, Tensor weight, Tensor? bias, bool silu, Tensor? initial = null, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["x"] = x, ["weight"] = weight };
        if (bias is not null)
            inputs["bias"] = bias;
        if (initial is not null)
            inputs["initial"] = initial;
        var outputs = Instance.Invoke(inputs, silu ? WithSilu : OpOptions.None, kernels ?? KernelChoice.Auto).Outputs;
        return (outputs["y"], outputs["last"]);
    }

    /// <summary>x is read and y written: 8 bytes an element. Backward reads x and the gradient of y and writes that of x: 12 more.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("L") * call.Size("D");
        var width = call.Size("K");
        var exponentials = call.Options.Get("silu", false) ? count : 0;
        return backward ? new OpCost(Bytes: 20 * count, Flops: 8 * width * count, Exponentials: 2 * exponentials)
            : new OpCost(Bytes: 8 * count, Flops: 2 * width * count, Exponentials: exponentials);
    }

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("K") < 1)
            throw new ShapeException($"{Name}: 'weight' is {Shape.Describe(call.Inputs["weight"].shape)}; a width of at least 1 is needed.");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        CausalConvReference.Forward(inputs, options.Get("silu", false));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("y", call.Size("B"), call.Size("L"), call.Size("D")), new("last", call.Size("B"), call.Size("K"), call.Size("D"))];
}
