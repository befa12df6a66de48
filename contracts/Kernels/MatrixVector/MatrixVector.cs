using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>y = x Wᵀ + b for a few rows of x, with W in float32 or stored as bfloat16, summed in float32: the products of decoding.</summary>
/// <remarks>
/// Each weight is read once, and that is what such a product costs; libtorch's own takes 1.2 times as long in float32. For inference: it has
/// no gradients. README.md beside this file has measurements.
/// </remarks>
public sealed class MatrixVector : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static MatrixVector Instance { get; } = new();

    private MatrixVector()
    {
    }

    /// <inheritdoc/>
    public override string Name => "matrix_vector";

    /// <inheritdoc/>
    public override string Title => "A matrix, in float32 or bfloat16, times a few vectors: the products of decoding";

    /// <summary>x, [batch, dim]; weight, [output, dim], float32 or bfloat16; bias, [output].</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "D") { HasGradient = false },
        new("weight", "E", "D") { HasGradient = false, MayBeBFloat16 = true },
        new("bias", "E") { Optional = true, HasGradient = false },
    ];

    /// <summary>y, [batch, output].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new MatrixVectorCpu()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("libtorch-fp32", (inputs, _) => new() { ["y"] = nn.functional.linear(inputs["x"], inputs["weight"], inputs.Find("bias")) }),
    ];

    /// <summary>Multiplies.</summary>
    /// <param name="x">[batch, dim], float32.</param>
    /// <param name="weight">[output, dim], float32 or bfloat16.</param>
    /// <param name="bias">[output], or null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>[batch, output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit, or a gradient is asked for.</exception>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias = null, KernelChoice? kernels = null)
    {
        var inputs = new NamedTensors { ["x"] = x, ["weight"] = weight };
        if (bias is not null)
            inputs["bias"] = bias;
        return Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs["y"];
    }

    /// <summary>Each weight is read once, and there are two operations for it and a vector.</summary>
    public override OpCost? Floor(OpCall call, bool backward)
    {
        var weights = (double)call.Size("E") * call.Size("D");
        var size = call.Inputs["weight"].dtype == ScalarType.BFloat16 ? 2 : 4;
        return backward ? null : new OpCost(Bytes: size * weights, Flops: 2 * weights * call.Size("B"));
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        var x = inputs["x"];
        using var scope = NewDisposeScope();
        return new() { ["y"] = nn.functional.linear(x, inputs["weight"].to(x.dtype), inputs.Find("bias")).MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("E"))];
}
