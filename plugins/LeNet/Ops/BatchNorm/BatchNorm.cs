using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>
/// Batch normalisation: every channel gets mean 0 and variance 1 over the batch, then a scale and an offset that are learned.
/// </summary>
/// <remarks>
/// Ioffe and Szegedy 2015, algorithms 1 and 2. Images are [batch, channel, height × width]: <see cref="Apply"/> takes [batch, dim] and
/// [batch, channel, height, width] and brings them into that form. The op changes no running statistics; it gives the batch's for the
/// layer to update its own.
/// </remarks>
internal sealed class BatchNorm : Op
{
    /// <summary>What is added to the variance unless the call says otherwise.</summary>
    public const double DefaultEpsilon = 1e-5;

    /// <summary>The op; it holds no state.</summary>
    public static BatchNorm Instance { get; } = new();

    public override string Name => "batch_norm";

    public override string Title => "Batch normalisation per channel, with batch or running statistics";

    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "D", "E"),
        new("weight", "D") { Optional = true },
        new("bias", "D") { Optional = true },
        new("running_mean", "D") { Optional = true },
        new("running_var", "D") { Optional = true },
    ];

    /// <summary>training: by the batch's statistics (default true) or by the running ones; eps: added to the variance.</summary>
    public override IReadOnlyList<string> Options { get; } = ["training", "eps"];

    /// <summary>
    /// y, of the shape of x; mean and var [channel], with which it was normalised: in training the batch's, var divided by the count. No
    /// gradient flows through mean and var.
    /// </summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "mean", "var"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new BatchNormCpu(), new BatchNormCuda()];

    /// <summary>Normalises.</summary>
    /// <param name="x">[batch, channel] or [batch, channel, ...].</param>
    /// <param name="weight">Scale; γ in the paper, [channel].</param>
    /// <param name="bias">Offset; β in the paper, [channel].</param>
    /// <param name="runningMean">What replaces the batch's mean outside training, [channel].</param>
    /// <param name="runningVar">What replaces the batch's variance outside training, [channel].</param>
    /// <param name="training">Whether to use the batch's statistics.</param>
    /// <param name="eps">What is added to the variance; ε in the paper.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>y, of the shape of <paramref name="x"/>, and the statistics used, [channel].</returns>
    /// <exception cref="ShapeException">Shapes do not fit, or there is one value a channel in training.</exception>
    public static (Tensor Y, Tensor Mean, Tensor Var) Apply(
        Tensor x, Tensor weight, Tensor bias, Tensor runningMean, Tensor runningVar, bool training, double eps, KernelChoice kernels)
    {
        if (x.dim() < 2)
            throw new ShapeException($"'x' is {Shape.Describe(x.shape)} but must be [batch, channel] or [batch, channel, height, width]");
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors
        {
            ["x"] = x.dim() == 2 ? x.unsqueeze(-1) : x.flatten(2),
            ["weight"] = weight,
            ["bias"] = bias,
        };
        if (!training)
            (inputs["running_mean"], inputs["running_var"]) = (runningMean, runningVar);
        var options = new OpOptions(new JsonObject { ["training"] = training, ["eps"] = eps });
        var outputs = Instance.Invoke(inputs, options, kernels).Outputs;
        var y = outputs["y"].reshape(x.shape);
        return (y.MoveToOuterDisposeScope(), outputs["mean"].MoveToOuterDisposeScope(), outputs["var"].MoveToOuterDisposeScope());
    }

    internal static bool Training(OpOptions options) => options.Get("training", true);

    internal static double Epsilon(OpOptions options) => options.Get("eps", DefaultEpsilon);

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        BatchNormReference.Forward(inputs["x"], inputs.Find("weight"), inputs.Find("bias"), inputs.Find("running_mean"),
            inputs.Find("running_var"), Training(options), Epsilon(options));

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
    [
        new("y", call.Size("B"), call.Size("D"), call.Size("E")),
        new("mean", call.Size("D")) { Differentiable = false },
        new("var", call.Size("D")) { Differentiable = false },
    ];

    protected override void Check(OpCall call)
    {
        var eps = Epsilon(call.Options);
        if (!(eps >= 0 && double.IsFinite(eps)))
            throw new UserException($"{Name}: 'eps' is {eps}; it must be at least 0.");
        if (Training(call.Options))
        {
            var (batch, elements) = (call.Size("B"), call.Size("E"));
            if (batch * elements < 2 && call.Size("D") > 0)
                throw new ShapeException($"{Name}: 'x' is {Shape.Describe(call.Inputs["x"].shape)}, {batch * elements} values a channel, " +
                    "and the variance of a batch needs at least 2 in training; take larger batches.");
        }
        else if (!call.Has("running_mean") || !call.Has("running_var"))
        {
            throw new ShapeException($"{Name} needs the arguments 'running_mean' and 'running_var' outside training.");
        }
    }

    /// <summary>x is read and y written; backward reads x and y's gradient and writes x's.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("B") * call.Size("D") * call.Size("E");
        var training = Training(call.Options);
        var forward = new OpCost(Bytes: 8 * count, Flops: (training ? 5 : 2) * count);   // sum, sum of squares, then one multiply-add
        return backward ? new OpCost(forward.Bytes + 12 * count, forward.Flops + (training ? 7 : 4) * count) : forward;
    }
}
