using TorchSharp;

namespace Zoo.Kernels;

/// <summary>Stochastic gradient descent, with momentum where it has a buffer, for all tensors in one call.</summary>
/// <remarks>g ← g + λ·p, b ← μ·b + g from b = 0, p ← p - lr·b; without momentum b is g.</remarks>
public sealed class SgdUpdate : UpdateOp
{
    private const double UsualMomentum = 0.9;

    /// <summary>The op; it holds no state.</summary>
    public static SgdUpdate Instance { get; } = new();

    private SgdUpdate()
    {
    }

    /// <inheritdoc/>
    public override string Name => "sgd";

    /// <inheritdoc/>
    public override string Title => "Stochastic gradient descent's update of many tensors in one call";

    /// <summary>momentum_buffer, b in the formula; without momentum there is none.</summary>
    public override IReadOnlyList<string> StateNames { get; } = ["momentum_buffer"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines =>
        [new("torchsharp-sgd", new TorchOptimizer((parameters, options) => torch.optim.SGD(
            parameters, LearningRate(options), options.Get("momentum", 0.0), weight_decay: WeightDecay(options))).Step)];

    private protected override IReadOnlyList<string> RuleOptions { get; } = ["momentum"];

    private protected override bool StateIsOptional => true;

    /// <summary>One update of all <paramref name="tensors"/>, in place.</summary>
    /// <param name="tensors">Values, gradients and, with momentum, the buffer.</param>
    /// <param name="rule">The momentum.</param>
    /// <param name="largestNorm">
    /// From this norm of all gradients together on, they are scaled down to it; 0 leaves them and computes no norm, infinity leaves them and
    /// computes it.
    /// </param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <exception cref="ShapeException">A tensor does not fit.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these tensors.</exception>
    public UpdateResult Apply(IReadOnlyList<UpdatedTensor> tensors, SgdRule rule, double largestNorm = 0, KernelChoice? kernels = null) =>
        Run(tensors, rule, largestNorm, kernels ?? KernelChoice.Auto);

    internal override IUpdateRule RuleOf(OpCall call) => new SgdRule(call.Options.Get("momentum", call.Has("momentum_buffer") ? UsualMomentum : 0));

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        base.Check(call);
        if (RuleOf(call).StateCount > 0 && !call.Has("momentum_buffer"))
            throw new ShapeException("sgd needs the argument 'momentum_buffer' where there is momentum.");
    }
}
