using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Root-mean-square normalisation of the last axis, y = s / √(mean(s²) + ε) ⊙ weight, with s = x + residual.</summary>
/// <remarks>
/// Zhang and Sennrich 2019, Root Mean Square Layer Normalization, eq. 4. The sum with a residual stream is part of the op because the two
/// always meet in pre-norm networks, and apart they cost another pass over memory. README.md beside this file derives the backward.
/// </remarks>
public sealed class RmsNorm : Op
{
    /// <summary>ε unless the call says otherwise.</summary>
    public const double DefaultEpsilon = 1e-5;

    /// <summary>The op; it holds no state.</summary>
    public static RmsNorm Instance { get; } = new();

    private RmsNorm()
    {
    }

    /// <inheritdoc/>
    public override string Name => "rms_norm";

    /// <inheritdoc/>
    public override string Title => "Root-mean-square normalisation of the last axis, of x or of x + residual";

    /// <summary>x and residual, [batch, time, dim]; weight, [dim], 1 where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "L", "D"), new("weight", "D") { Optional = true }, new("residual", "B", "L", "D") { Optional = true }];

    /// <summary>eps: ε, added to the mean square; 1e-5 where it is not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["eps"];

    /// <summary>y, of the shape of x; sum, x + residual, only where there is a residual.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "sum"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new NormCpu(centre: false), new NormCuda(centre: false)];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
        [new("libtorch-fp32", (inputs, options) => Libtorch(inputs, NormSizes.Epsilon(options)))];

    /// <summary>Normalises x.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="weight">[dim]; 1 where null.</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y, of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor? weight, double eps = DefaultEpsilon, KernelChoice? kernels = null) =>
        NormCall.Run(Instance, x, weight, null, null, eps, kernels).Y;

    /// <summary>Normalises x + residual.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="residual">Of the shape of <paramref name="x"/>.</param>
    /// <param name="weight">[dim]; 1 where null.</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y and the sum, of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor Y, Tensor Sum) ApplyToSum(
        Tensor x, Tensor residual, Tensor? weight, double eps = DefaultEpsilon, KernelChoice? kernels = null)
    {
        var (y, sum) = NormCall.Run(Instance, x, weight, null, residual, eps, kernels);
        return (y, sum!);
    }

    /// <inheritdoc/>
    public override OpCost Floor(OpCall call, bool backward) => NormCall.Floor(call, backward);

    /// <inheritdoc/>
    protected override void Check(OpCall call) => NormCall.Check(call);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        NormReference.Forward(inputs, centre: false, NormSizes.Epsilon(options));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => NormCall.OutputSpecs(call);

    private static NamedTensors Libtorch(NamedTensors inputs, double eps)
    {
        using var scope = NewDisposeScope();
        var s = inputs.Find("residual") is { } residual ? inputs["x"] + residual : inputs["x"];
        using Scalar epsilon = eps;
        using Scalar two = 2;
        var y = s * s.pow(two).mean([-1], keepdim: true).add(epsilon).rsqrt();
        if (inputs.Find("weight") is { } weight)
            y = y * weight;
        var outputs = new NamedTensors { ["y"] = y.MoveToOuterDisposeScope() };
        if (inputs.ContainsKey("residual"))
            outputs["sum"] = s.MoveToOuterDisposeScope();
        return outputs;
    }
}
