using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>
/// Layer normalisation of the last axis, y = (s - mean(s)) / √(var(s) + ε) ⊙ weight + bias, with s = x + residual.
/// </summary>
/// <remarks>
/// Ba, Kiros and Hinton 2016, Layer Normalization, eq. 4; the variance is divided by dim. README.md beside this file derives the backward.
/// </remarks>
public sealed class LayerNorm : Op
{
    /// <summary>ε unless the call says otherwise.</summary>
    public const double DefaultEpsilon = 1e-5;

    /// <summary>The op; it holds no state.</summary>
    public static LayerNorm Instance { get; } = new();

    private LayerNorm()
    {
    }

    /// <inheritdoc/>
    public override string Name => "layer_norm";

    /// <inheritdoc/>
    public override string Title => "Normalisation of the last axis to mean 0 and variance 1, of x or of x + residual";

    /// <summary>x and residual, [batch, time, dim]; weight, [dim], 1 where it is not given; bias, [dim], 0 where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "L", "D"), new("weight", "D") { Optional = true }, new("bias", "D") { Optional = true },
        new("residual", "B", "L", "D") { Optional = true },
    ];

    /// <summary>eps: ε, added to the variance; 1e-5 where it is not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["eps"];

    /// <summary>y, of the shape of x; sum, x + residual, only where there is a residual.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "sum"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new NormCpu(centre: true), new NormCuda(centre: true)];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
        [new("libtorch-fp32", (inputs, options) => Libtorch(inputs, NormSizes.Epsilon(options)))];

    /// <summary>Normalises x.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="weight">[dim]; 1 where null.</param>
    /// <param name="bias">[dim]; 0 where null.</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y, of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor? weight, Tensor? bias, double eps = DefaultEpsilon, KernelChoice? kernels = null) =>
        NormCall.Run(Instance, x, weight, bias, null, eps, kernels).Y;

    /// <summary>Normalises x + residual.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="residual">Of the shape of <paramref name="x"/>.</param>
    /// <param name="weight">[dim]; 1 where null.</param>
    /// <param name="bias">[dim]; 0 where null.</param>
    /// <param name="eps">ε.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>y and the sum, of the shape of <paramref name="x"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static (Tensor Y, Tensor Sum) ApplyToSum(
        Tensor x, Tensor residual, Tensor? weight, Tensor? bias, double eps = DefaultEpsilon, KernelChoice? kernels = null)
    {
        var (y, sum) = NormCall.Run(Instance, x, weight, bias, residual, eps, kernels);
        return (y, sum!);
    }

    /// <inheritdoc/>
    public override OpCost Floor(OpCall call, bool backward) => NormCall.Floor(call, backward);

    /// <inheritdoc/>
    protected override void Check(OpCall call) => NormCall.Check(call);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) =>
        NormReference.Forward(inputs, centre: true, NormSizes.Epsilon(options));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => NormCall.OutputSpecs(call);

    private static NamedTensors Libtorch(NamedTensors inputs, double eps)
    {
        var s = inputs.Find("residual") is { } residual ? inputs["x"] + residual : inputs["x"];
        var y = nn.functional.layer_norm(s, [s.shape[^1]], inputs.Find("weight"), inputs.Find("bias"), eps);
        var outputs = new NamedTensors { ["y"] = y };
        if (inputs.ContainsKey("residual"))
            outputs["sum"] = s;
        return outputs;
    }
}
