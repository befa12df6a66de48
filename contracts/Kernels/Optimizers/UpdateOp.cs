using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>An optimiser's update of all tensors in one call, their gradient's norm and clipping included.</summary>
/// <remarks>
/// A trainer hands over a list of tensors of any sizes. As an op, for checks and benchmarks, the rows of [N, E] arguments are the tensors.
/// Values and state are updated in place. README.md beside this file has the formulas and measurements.
/// </remarks>
public abstract class UpdateOp : Op
{
    /// <summary>Added to the norm before clipping divides by it, as torch does.</summary>
    internal const double NormEpsilon = 1e-6;

    private protected UpdateOp()
    {
    }

    /// <summary>params, grads and the optimiser's state, [tensor, element]; all but the gradients are updated in place.</summary>
    public override IReadOnlyList<OpArgument> Arguments => field ??=
    [
        new("params", "N", "E") { Updated = true },
        new("grads", "N", "E") { HasGradient = false },
        .. StateNames.Select(s => new OpArgument(s, "N", "E") { Updated = true, Optional = StateIsOptional }),
    ];

    /// <summary>
    /// lr, weight_decay, the rule's own, and max_norm: the largest gradient norm, from which on gradients are scaled down; 0, which is also the
    /// default, leaves them.
    /// </summary>
    public override IReadOnlyList<string> Options => field ??= ["lr", "weight_decay", .. RuleOptions, "max_norm"];

    /// <summary>The updated arguments, and grad_norm, [], the norm of all gradients where there is a max_norm.</summary>
    public override IReadOnlyList<string> Outputs => field ??= ["params", .. StateNames, "grad_norm"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new UpdateCpu(), new UpdateCuda()];

    /// <summary>Names of the state tensors in torch's own optimiser.</summary>
    public abstract IReadOnlyList<string> StateNames { get; }

    private protected abstract IReadOnlyList<string> RuleOptions { get; }

    private protected virtual bool StateIsOptional => false;

    /// <summary>Value, gradient and state are read, value and state written; with clipping the gradient is read once more.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var count = (double)call.Size("N") * call.Size("E");
        var tensors = 3 + 2 * RuleOf(call).StateCount + (LargestNorm(call.Options) > 0 ? 1 : 0);
        return new OpCost(Bytes: 4 * tensors * count, Flops: 16 * count);
    }

    /// <summary>Second moments are positive.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) =>
        argument.Name == "exp_avg_sq" ? rand(shape) : base.Sample(argument, shape);

    internal abstract IUpdateRule RuleOf(OpCall call);

    internal static double LearningRate(OpOptions options) => options.Get("lr", 1e-3);

    internal static double WeightDecay(OpOptions options) => options.Get("weight_decay", 0.0);

    internal static double LargestNorm(OpOptions options) => options.Get("max_norm", 0.0);

    /// <summary>One update of all <paramref name="tensors"/>.</summary>
    /// <exception cref="ShapeException">A tensor does not fit.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these tensors.</exception>
    private protected UpdateResult Run(IReadOnlyList<UpdatedTensor> tensors, IUpdateRule rule, double largestNorm, KernelChoice kernels)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var tensor in tensors)
            Check(tensor, rule);
        var kernel = Choose(kernels, k => ((IUpdateKernel)k).WhyNot(tensors));
        var backend = kernel?.Backend ?? KernelChoice.Reference;
        OpUsage.Record(Name, backend);
        if (tensors.Count == 0)
            return new UpdateResult(largestNorm > 0 ? 0 : null, backend);
        var norm = kernel is null ? UpdateReference.Run(tensors, rule, largestNorm) : ((IUpdateKernel)kernel).Update(tensors, rule, largestNorm);
        return new UpdateResult(norm, backend);
    }

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        foreach (var (name, value) in new[]
        {
            ("lr", LearningRate(call.Options)), ("weight_decay", WeightDecay(call.Options)), ("max_norm", LargestNorm(call.Options)),
        })
        {
            if (!(value >= 0))
                throw new UserException($"{Name}: '{name}' is {value}; it must be at least 0.");
        }
        if (RuleOf(call).Problem is { } problem)
            throw new UserException($"{Name}: {problem}");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var (values, gradients) = (inputs["params"].unbind(0), inputs["grads"].unbind(0));
        var rule = RuleOf(Describe(inputs, options));
        var states = StateNames.Take(rule.StateCount).Select(s => inputs[s].unbind(0)).ToList();
        var tensors = values.Select((value, i) => new UpdatedTensor($"row {i}", value, gradients[i], LearningRate(options), WeightDecay(options))
        {
            State = [.. states.Select(s => s[i])],
        }).ToList();
        var norm = UpdateReference.Run(tensors, rule, LargestNorm(options));
        return norm is { } number
            ? new() { ["grad_norm"] = tensor(number, inputs["params"].dtype, inputs["params"].device).MoveToOuterDisposeScope() }
            : [];
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        LargestNorm(call.Options) > 0 ? [new("grad_norm") { Differentiable = false }] : [];

    private void Check(UpdatedTensor tensor, IUpdateRule rule)
    {
        if (tensor.State.Count != rule.StateCount)
            throw new ShapeException($"{Name}: '{tensor.Name}' comes with {tensor.State.Count} state tensors but needs {rule.StateCount}.");
        var count = tensor.Value.numel();
        Fit("gradient", tensor.Gradient);
        foreach (var state in tensor.State)
            Fit("state", state);
        if (tensor.LowPrecision is { } copy)
            Fit("low-precision copy", copy);

        void Fit(string what, Tensor other)
        {
            if (other.numel() != count)
            {
                throw new ShapeException(
                    $"{Name}: the {what} of '{tensor.Name}' is {Shape.Describe(other.shape)} but must be {Shape.Describe(tensor.Value.shape)}.");
            }
        }
    }
}
