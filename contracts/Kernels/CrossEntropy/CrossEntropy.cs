using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Mean cross-entropy of a linear head's logits, without the logits: hidden states, the head's matrix and targets in, a loss out.</summary>
/// <remarks>
/// No more than a chunk of the logits exists at a time, forward and backward: at a vocabulary of 50,257 the logits of 12 × 1,024 tokens are
/// 2.5 GB. README.md beside this file derives the backward.
/// </remarks>
public sealed class CrossEntropy : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static CrossEntropy Instance { get; } = new();

    private CrossEntropy()
    {
    }

    /// <inheritdoc/>
    public override string Name => "cross_entropy";

    /// <inheritdoc/>
    public override string Title => "Mean cross-entropy of a linear head, never holding more than a chunk of its logits";

    /// <summary>hidden, [n, dim]; weight, the head's matrix, [vocabulary, dim]; targets, int64 [n]; bias, [vocabulary], 0 where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("hidden", "L", "D"), new("weight", "E", "D"), new("targets", "L") { HasGradient = false, Dtype = ScalarType.Int64 },
        new("bias", "E") { Optional = true },
    ];

    /// <summary>loss, the mean over the targets, a scalar; NaN where there are none.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["loss"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new CrossEntropyCpu(), new CrossEntropyCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("libtorch-fp32", (inputs, _) => Libtorch(inputs))];

    /// <summary>The mean loss.</summary>
    /// <param name="hidden">[n, dim].</param>
    /// <param name="weight">The head's matrix, [vocabulary, dim].</param>
    /// <param name="targets">int64 [n], each below the vocabulary.</param>
    /// <param name="bias">[vocabulary]; 0 where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>A scalar.</returns>
    /// <exception cref="ShapeException">Shapes do not fit, or a target is none of the vocabulary.</exception>
    public static Tensor Apply(Tensor hidden, Tensor weight, Tensor targets, Tensor? bias = null, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["hidden"] = hidden, ["weight"] = weight, ["targets"] = targets };
        if (bias is not null)
            inputs["bias"] = bias;
        return Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs["loss"];
    }

    /// <summary>
    /// One product with the matrix forward; backward reckons the logits again and needs two more. Hidden states and matrix are read, and
    /// their gradients written.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double rows = call.Size("L"), dim = call.Size("D"), vocabulary = call.Size("E");
        var arrays = rows * dim + vocabulary * dim;
        var product = 2 * rows * dim * vocabulary;
        return backward
            ? new OpCost(Bytes: 12 * arrays, Flops: 4 * product, Exponentials: 2 * rows * vocabulary)
            : new OpCost(Bytes: 4 * arrays, Flops: product, Exponentials: rows * vocabulary);
    }

    /// <summary>A matrix as heads are initialised, N(0, 1 / dim); targets all 0.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) =>
        argument.Name == "weight" ? randn(shape) / Math.Sqrt(Math.Max(1, shape[^1])) : base.Sample(argument, shape);

    /// <summary>Targets that differ.</summary>
    public override Tensor? Example(OpArgument argument, long[] shape) => argument.Name == "targets" ? arange(shape[0], int64) % 2 : null;

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("E") == 0)
            throw new ShapeException($"{Name}: 'weight' is {Shape.Describe(call.Inputs["weight"].shape)}; a vocabulary needs at least one entry.");
        using var scope = NewDisposeScope();
        var targets = call.Inputs["targets"];
        if (targets.numel() == 0)
            return;
        var (least, greatest) = (targets.min().item<long>(), targets.max().item<long>());
        if (least < 0 || greatest >= call.Size("E"))
        {
            throw new ShapeException(
                $"{Name}: a target is {(least < 0 ? least : greatest)}; with a vocabulary of {call.Size("E")} targets are 0 to {call.Size("E") - 1}.");
        }
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        // -log softmax(hidden · weightᵀ + bias) at the targets, straight from the definition.
        using var scope = NewDisposeScope();
        var logits = nn.functional.linear(inputs["hidden"], inputs["weight"], inputs.Find("bias"));   // [n, vocabulary]
        var ofTargets = logits.gather(1, inputs["targets"].unsqueeze(1)).squeeze(1);
        return new() { ["loss"] = (logits.logsumexp(1) - ofTargets).mean().MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("loss")];

    private static NamedTensors Libtorch(NamedTensors inputs)
    {
        using var logits = nn.functional.linear(inputs["hidden"], inputs["weight"], inputs.Find("bias"));
        return new() { ["loss"] = nn.functional.cross_entropy(logits, inputs["targets"]) };
    }
}
