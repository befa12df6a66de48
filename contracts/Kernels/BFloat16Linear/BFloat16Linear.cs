using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>x Wᵀ + b with a matrix stored as bfloat16 and everything else, the arithmetic included, in float32: a step of decoding.</summary>
/// <remarks>For inference: it has no gradients. README.md beside this file has measurements.</remarks>
public sealed class BFloat16Linear : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static BFloat16Linear Instance { get; } = new();

    private BFloat16Linear()
    {
    }

    /// <inheritdoc/>
    public override string Name => "bf16_linear";

    /// <inheritdoc/>
    public override string Title => "x Wᵀ + b with W stored as bfloat16, computed in float32";

    /// <summary>x, [row, dim]; weight, bfloat16 [output, dim]; bias, [output], zero where it is not given.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "D") { HasGradient = false },
        new("weight", "E", "D") { HasGradient = false, Dtype = ScalarType.BFloat16 },
        new("bias", "E") { HasGradient = false, Optional = true },
    ];

    /// <summary>y, [row, output].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new BFloat16LinearCpu()];

    /// <summary>libtorch's own product, which also rounds x and y to bfloat16.</summary>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("libtorch-bf16", (inputs, _) => Libtorch(inputs))];

    /// <summary>Multiplies.</summary>
    /// <param name="x">float32 [..., dim].</param>
    /// <param name="weight">bfloat16 [output, dim].</param>
    /// <param name="bias">float32 [output]; zero where null.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>float32 [..., output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias = null, KernelChoice? kernels = null)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();   // there is none, so what asks for one is not refused
        var inputs = new NamedTensors { ["x"] = x.reshape(-1, x.shape[^1]), ["weight"] = weight };
        if (bias is not null)
            inputs["bias"] = bias;
        var y = Instance.Invoke(inputs, OpOptions.None, kernels ?? KernelChoice.Auto).Outputs["y"];
        return y.reshape([.. x.shape[..^1], weight.shape[0]]).MoveToOuterDisposeScope();
    }

    /// <summary>The matrix is read, 2 bytes a number; x is read and y written; two flops a number of the matrix and row.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var (rows, dim, outputs) = ((double)call.Size("B"), (double)call.Size("D"), (double)call.Size("E"));
        return new OpCost(Bytes: 2 * outputs * dim + 4 * rows * (dim + outputs), Flops: 2 * rows * outputs * dim);
    }

    /// <inheritdoc/>
    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Dtype is { } dtype ? randn(shape).to(dtype) : randn(shape);

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var x = inputs["x"];
        return new() { ["y"] = nn.functional.linear(x, inputs["weight"].to(x.dtype), inputs.Find("bias")).MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("E"))];

    private static NamedTensors Libtorch(NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        var y = nn.functional.linear(inputs["x"].to(ScalarType.BFloat16), inputs["weight"]).to(ScalarType.Float32);
        return new() { ["y"] = (inputs.Find("bias") is { } bias ? y + bias : y).MoveToOuterDisposeScope() };
    }
}
