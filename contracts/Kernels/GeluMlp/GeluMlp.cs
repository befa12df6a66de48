using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The feed-forward part of a block, y = W₂ gelu(W₁ x + b₁) + b₂: between its two products nothing is a pass of its own.</summary>
/// <remarks>Vaswani et al. 2017, eq. 2, with GELU (Hendrycks and Gimpel 2016). README.md beside this file derives the backward.</remarks>
public sealed class GeluMlp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static GeluMlp Instance { get; } = new();

    private GeluMlp()
    {
    }

    /// <inheritdoc/>
    public override string Name => "gelu_mlp";

    /// <inheritdoc/>
    public override string Title => "Two linear layers with GELU, exact or by tanh, between them";

    /// <summary>x, [batch, time, dim]; W₁, [hidden, dim]; W₂, [output, hidden]; b₁, [hidden], and b₂, [output], each 0 where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "L", "D"), new("in_weight", "H", "D"), new("out_weight", "E", "H"),
        new("in_bias", "H") { Optional = true }, new("out_bias", "E") { Optional = true },
    ];

    /// <summary>approximate: "none" (the default) or "tanh", as `gelu` has it.</summary>
    public override IReadOnlyList<string> Options { get; } = ["approximate"];

    /// <summary>y, [batch, time, output].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new GeluMlpCpu()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("libtorch-fp32", (inputs, options) => Instance.Layers(inputs, x => Libtorch(x, options))),
        new("linear-and-gelu", (inputs, options) => new()
        {
            ["y"] = LinearProduct.Apply(
                Gelu.Apply(LinearProduct.Apply(inputs["x"], inputs["in_weight"], inputs.Find("in_bias")), Gelu.UsesTanh(options)),
                inputs["out_weight"], inputs.Find("out_bias")),
        }),
    ];

    /// <summary>y of any x.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="inWeight">W₁, [hidden, dim].</param>
    /// <param name="inBias">b₁, [hidden]; 0 where null.</param>
    /// <param name="outWeight">W₂, [output, hidden].</param>
    /// <param name="outBias">b₂, [output]; 0 where null.</param>
    /// <param name="tanh">Whether GELU is approximated by tanh.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>[..., output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(
        Tensor x, Tensor inWeight, Tensor? inBias, Tensor outWeight, Tensor? outBias, bool tanh = false, KernelChoice? kernels = null)
    {
        using var scope = NewDisposeScope();
        var shape = x.shape;
        if (shape.Length == 0)
            throw new ShapeException($"{Instance.Name}: 'x' is [] but must have a last axis.");
        var rows = shape[..^1].Aggregate(1L, (a, b) => a * b);
        var inputs = new NamedTensors { ["x"] = shape.Length == 3 ? x : x.reshape(1, rows, shape[^1]), ["in_weight"] = inWeight, ["out_weight"] = outWeight };
        if (inBias is not null)
            inputs["in_bias"] = inBias;
        if (outBias is not null)
            inputs["out_bias"] = outBias;
        var options = tanh ? new OpOptions(new JsonObject { ["approximate"] = "tanh" }) : OpOptions.None;
        var y = Instance.Invoke(inputs, options, kernels ?? KernelChoice.Auto).Outputs["y"];
        return (shape.Length == 3 ? y : y.reshape([.. shape[..^1], y.shape[^1]])).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Two products and an exponential for every hidden number; backward twice the products again. x, both matrices and y pass once each way, with their
    /// gradients; what backward needs of the hidden numbers need not pass, for it could be reckoned again, at the price of a product.
    /// </summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double rows = (double)call.Size("B") * call.Size("L"), weights = (double)call.Size("H") * (call.Size("D") + call.Size("E"));
        var (read, written, exponentials) = (rows * call.Size("D") + weights, rows * call.Size("E"), rows * call.Size("H"));
        return backward
            ? new OpCost(Bytes: 4 * (3 * read + 2 * written), Flops: 6 * rows * weights, Exponentials: exponentials)
            : new OpCost(Bytes: 4 * (read + written), Flops: 2 * rows * weights, Exponentials: exponentials);
    }

    /// <summary>Matrices as layers are initialised, N(0, 1 / inputs).</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) =>
        argument.Name is "in_weight" or "out_weight" ? randn(shape) / Math.Sqrt(Math.Max(1, shape[^1])) : base.Sample(argument, shape);

    /// <inheritdoc/>
    protected override void Check(OpCall call) => Gelu.Check(Name, call.Options);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => Reference(inputs, options, KernelChoice.Parse(KernelChoice.Reference));

    /// <summary>libtorch's products and `gelu`, on the backend that is wanted of it.</summary>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options, KernelChoice kernels) =>
        Layers(inputs, x => Gelu.Apply(x, Gelu.UsesTanh(options), kernels));

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("L"), call.Size("E"))];

    private static Tensor Libtorch(Tensor x, OpOptions options) =>
        nn.functional.gelu(x, Gelu.UsesTanh(options) ? TorchSharp.Modules.GELU.Approximate.tanh : TorchSharp.Modules.GELU.Approximate.none);

    private NamedTensors Layers(NamedTensors inputs, Func<Tensor, Tensor> gelu)
    {
        using var scope = NewDisposeScope();
        var hidden = gelu(nn.functional.linear(inputs["x"], inputs["in_weight"], inputs.Find("in_bias")));
        return new() { ["y"] = nn.functional.linear(hidden, inputs["out_weight"], inputs.Find("out_bias")).MoveToOuterDisposeScope() };
    }
}
