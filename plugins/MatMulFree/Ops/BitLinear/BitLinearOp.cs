using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>A linear layer of ternary weights on 8-bit activations, with the norm before it: what takes the place of a matrix product.</summary>
/// <remarks>
/// Zhu et al. 2024, section 3.1 and algorithm 1. Gradients pass straight through both roundings. README.md beside this file has the equations,
/// the backward and what was measured.
/// </remarks>
internal sealed class BitLinearOp : Op
{
    /// <summary>The option that leaves out the integers among the outputs.</summary>
    private const string Integers = "integers";

    /// <summary>The op; it holds no state.</summary>
    public static BitLinearOp Instance { get; } = new();

    private static readonly OpOptions ResultAlone = new(new JsonObject { [Integers] = false });

    public override string Name => "bitlinear";

    public override string Title => "RMS norm, 8-bit rounding of activations, ternary rounding of weights, and their product";

    /// <summary>x, [..., dim]; norm.weight, [dim]; weight, [output, dim]; bias, [output], which the unfused form takes and, as the original, ignores.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "...", "D") { OtherAxes = [["B", "D"], ["B", "L", "D"]] }, new("norm.weight", "D"), new("weight", "E", "D"),
        new("bias", "E") { Optional = true },
    ];

    /// <summary>
    /// fused: the form that the model uses, unless false; norm_eps: ε of the norm, 1e-6 in the fused form and 1e-8 in the other; integers: whether
    /// what was rounded is among the outputs, true unless set.
    /// </summary>
    public override IReadOnlyList<string> Options { get; } = ["fused", "norm_eps", Integers];

    /// <summary>y, [..., output]; x_int8, as x, and x_scale, [..., 1]; w_ternary, as weight, and w_scale, [1].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "x_int8", "x_scale", "w_ternary", "w_scale"];

    public override bool HasExactGradient => false;

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new BitLinearCpu(), new BitLinearCuda()];

    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("unfused", (inputs, options) => BitLinearReference.Unfused(inputs, options)),
        new("libtorch-fp32", (inputs, _) => new() { ["y"] = nn.functional.linear(inputs["x"], inputs["weight"], inputs.Find("bias")) }),
    ];

    /// <summary>Runs the layer in its fused form.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="norm">Weight of the norm, [dim].</param>
    /// <param name="weight">[output, dim].</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[..., output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor norm, Tensor weight, KernelChoice kernels) =>
        Instance.Invoke(new() { ["x"] = x, ["norm.weight"] = norm, ["weight"] = weight }, ResultAlone, kernels).Outputs["y"];

    /// <summary>Whether the integers are among the outputs.</summary>
    public static bool GivesIntegers(OpOptions options) => options.Get(Integers, true);

    /// <summary>
    /// x and the weight are read and y is written; a product of bytes. Backward reads x, the weight and the gradient of y and writes two, and has two
    /// products in float32, beside which the first is reckoned a quarter.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var sizes = BitLinearSizes.Of(call);
        double rows = sizes.Rows, inputs = sizes.Inputs, outputs = sizes.Outputs;
        var (weights, product) = (inputs * outputs, 2 * rows * inputs * outputs);
        return backward
            ? new OpCost(Bytes: 4 * (3 * rows * inputs + 2 * rows * outputs + 3 * weights), Flops: 2.25 * product)
            : new OpCost(Bytes: 4 * (rows * inputs + rows * outputs + weights), Flops: product) { Arithmetic = "int8" };
    }

    /// <summary>Weights of the norm near 1, others normal.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) =>
        argument.Name == "norm.weight" ? empty(shape).uniform_(0.5, 1.5) : base.Sample(argument, shape);

    protected override void Check(OpCall call)
    {
        var sizes = BitLinearSizes.Of(call);
        if (!(sizes.Epsilon >= 0 && double.IsFinite(sizes.Epsilon)))
            throw new UserException($"{Name}: 'norm_eps' is {sizes.Epsilon}; it must be at least 0.");
        if (sizes.Inputs is 0 or > RowQuantizer.WidestRow)
            throw new ShapeException($"{Name}: rows of 'x' have {sizes.Inputs} numbers; they must have 1 to {RowQuantizer.WidestRow}, so that sums stay exact.");
        if (sizes.Outputs == 0)
            throw new ShapeException($"{Name}: 'weight' is {Shape.Describe(call.Inputs["weight"].shape)}; it needs at least one output.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => BitLinearReference.Forward(inputs, options);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        var leading = call.Inputs["x"].shape[..^1];
        var y = new KernelArraySpec("y", [.. leading, call.Size("E")]);
        return !GivesIntegers(call.Options) ? [y] :
        [
            y,
            new("x_int8", [.. leading, call.Size("D")]) { Dtype = ScalarType.Int8, Differentiable = false },
            new("x_scale", [.. leading, 1]) { Differentiable = false },
            new("w_ternary", call.Size("E"), call.Size("D")) { Dtype = ScalarType.Int8, Differentiable = false },
            new("w_scale", 1) { Differentiable = false },
        ];
    }
}
