using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>y = x Wᵀ + b, the product of a layer, in one part or in several that lie apart: queries, keys and values, say.</summary>
/// <remarks>README.md beside this file derives the backward.</remarks>
public sealed class LinearProduct : Op
{
    private const int MostParts = 3;

    /// <summary>The op; it holds no state.</summary>
    public static LinearProduct Instance { get; } = new();

    private LinearProduct()
    {
    }

    /// <inheritdoc/>
    public override string Name => "linear";

    /// <inheritdoc/>
    public override string Title => "x Wᵀ + b, in one part or in several that lie apart";

    /// <summary>x, [batch, time, dim]; weight, [output, dim]; bias, [output], 0 where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("x", "B", "L", "D"), new("weight", "E", "D"), new("bias", "E") { Optional = true }];

    /// <summary>parts: into how many equal parts the outputs are cut, 1 to 3; 1 where it is not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["parts"];

    /// <summary>y, [batch, time, output / parts], the first part; y2 and y3, those that follow.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y", "y2", "y3"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new LinearCpu()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("libtorch-fp32", Libtorch)];

    /// <summary>Multiplies.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="weight">[output, dim].</param>
    /// <param name="bias">[output]; 0 where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>[..., output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias = null, KernelChoice? kernels = null) => Apply(x, weight, bias, 1, kernels)[0];

    /// <summary>Multiplies; the outputs are cut into equal parts.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="weight">[output, dim].</param>
    /// <param name="bias">[output]; 0 where null.</param>
    /// <param name="parts">How many, 1 to 3.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Each [..., output / parts].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor[] Apply(Tensor x, Tensor weight, Tensor? bias, int parts, KernelChoice? kernels = null)
    {
        using var scope = NewDisposeScope();
        var shape = x.shape;
        if (shape.Length == 0)
            throw new ShapeException($"{Instance.Name}: 'x' is [] but must have a last axis.");
        var inputs = new NamedTensors { ["x"] = shape.Length == 3 ? x : x.reshape(1, shape[..^1].Aggregate(1L, (a, b) => a * b), shape[^1]), ["weight"] = weight };
        if (bias is not null)
            inputs["bias"] = bias;
        var options = parts == 1 ? OpOptions.None : new OpOptions(new JsonObject { ["parts"] = parts });
        var outputs = Instance.Invoke(inputs, options, kernels ?? KernelChoice.Auto).Outputs;
        return [.. Instance.Outputs.Take(parts).Select(name => AsGiven(outputs[name]).MoveToOuterDisposeScope())];

        Tensor AsGiven(Tensor y) => shape.Length == 3 ? y : y.reshape([.. shape[..^1], y.shape[^1]]);
    }

    /// <summary>One product; backward two more. x and W are read and y written; then they are read again with y's gradient, and their gradients written.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double rows = (double)call.Size("B") * call.Size("L"), dim = call.Size("D"), outputs = call.Size("E");
        var (read, written, product) = (rows * dim + outputs * dim, rows * outputs, 2 * rows * dim * outputs);
        return backward
            ? new OpCost(Bytes: 4 * (3 * read + 2 * written), Flops: 3 * product)
            : new OpCost(Bytes: 4 * (read + written), Flops: product);
    }

    /// <summary>A matrix as layers are initialised, N(0, 1 / dim).</summary>
    public override Tensor Sample(OpArgument argument, long[] shape) =>
        argument.Name == "weight" ? randn(shape) / Math.Sqrt(Math.Max(1, shape[^1])) : base.Sample(argument, shape);

    internal static int Parts(OpOptions options) => (int)options.Get("parts", 1);

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        var parts = Parts(call.Options);
        if (parts is < 1 or > MostParts)
            throw new UserException($"{Name}: 'parts' is {parts}; it must be 1 to {MostParts}.");
        if (call.Size("E") % parts != 0)
            throw new ShapeException($"{Name}: 'weight' is {Shape.Describe(call.Inputs["weight"].shape)}; its rows cannot be cut into {parts} equal parts.");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var parts = Parts(options);
        var (weights, biases) = (inputs["weight"].chunk(parts, 0), inputs.Find("bias")?.chunk(parts, 0));
        var result = new NamedTensors();
        for (var i = 0; i < parts; i++)         // by a product each: neither has a part to be cut out of a wider tensor, nor its gradient to be put into one
            result[Outputs[i]] = nn.functional.linear(inputs["x"], weights[i], biases?[i]).MoveToOuterDisposeScope();
        return result;
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        var parts = Parts(call.Options);
        return [.. Outputs.Take(parts).Select(name => new KernelArraySpec(name, call.Size("B"), call.Size("L"), call.Size("E") / parts))];
    }

    private static NamedTensors Libtorch(NamedTensors inputs, OpOptions options) => Instance.Reference(inputs, options);
}
