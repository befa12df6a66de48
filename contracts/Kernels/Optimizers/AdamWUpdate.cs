using TorchSharp;

namespace Zoo.Kernels;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), for all tensors in one call.</summary>
/// <remarks>m ← β1·m + (1-β1)·g, v ← β2·v + (1-β2)·g², p ← p - lr·λ·p - lr·m̂ / (√v̂ + ε), with m̂ = m / (1-β1^t), v̂ = v / (1-β2^t).</remarks>
public sealed class AdamWUpdate : UpdateOp
{
    /// <summary>The op; it holds no state.</summary>
    public static AdamWUpdate Instance { get; } = new();

    private AdamWUpdate()
    {
    }

    /// <inheritdoc/>
    public override string Name => "adamw";

    /// <inheritdoc/>
    public override string Title => "AdamW's update of many tensors in one call";

    /// <summary>exp_avg, m in the formula, and exp_avg_sq, v.</summary>
    public override IReadOnlyList<string> StateNames { get; } = ["exp_avg", "exp_avg_sq"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines =>
        [new("torchsharp-adamw", new TorchOptimizer((parameters, options) => torch.optim.AdamW(
            parameters, LearningRate(options), Beta1(options), Beta2(options), Epsilon(options), WeightDecay(options))).Step)];

    private protected override IReadOnlyList<string> RuleOptions { get; } = ["beta1", "beta2", "eps", "step"];

    /// <summary>One update of all <paramref name="tensors"/>, in place.</summary>
    /// <param name="tensors">Values, gradients and state: exp_avg and exp_avg_sq.</param>
    /// <param name="rule">Decays, ε and the number of the update.</param>
    /// <param name="largestNorm">
    /// From this norm of all gradients together on, they are scaled down to it; 0 leaves them and computes no norm, infinity leaves them and
    /// computes it.
    /// </param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <exception cref="ShapeException">A tensor does not fit.</exception>
    /// <exception cref="BackendRejectedException">The demanded backend does not take these tensors.</exception>
    public UpdateResult Apply(IReadOnlyList<UpdatedTensor> tensors, AdamWRule rule, double largestNorm = 0, KernelChoice? kernels = null) =>
        Run(tensors, rule, largestNorm, kernels ?? KernelChoice.Auto);

    internal override IUpdateRule RuleOf(OpCall call) =>
        new AdamWRule(Beta1(call.Options), Beta2(call.Options), Epsilon(call.Options), call.Options.Get("step", 1L));

    private static double Beta1(OpOptions options) => options.Get("beta1", 0.9);

    private static double Beta2(OpOptions options) => options.Get("beta2", 0.999);

    private static double Epsilon(OpOptions options) => options.Get("eps", 1e-8);
}
