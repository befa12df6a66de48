using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.PackedBitLinear;

/// <summary>The ternary layer at inference: norm, rounding and product with a matrix of two bits a weight, the same bits as `bitlinear` gives.</summary>
/// <remarks>For inference: it has no gradients. README.md beside this file.</remarks>
internal sealed class PackedBitLinearOp : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static PackedBitLinearOp Instance { get; } = new();

    private PackedBitLinearOp()
    {
    }

    public override string Name => "packed_bitlinear";

    public override string Title => "RMS norm, 8-bit rounding, and the product with a ternary matrix of two bits a weight";

    /// <summary>x, [batch, dim]; norm.weight, [dim]; weight, uint8 [output, bytes], and w_scale, [1], as `ternary_matmul` has them.</summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "D") { HasGradient = false },
        new("norm.weight", "D") { HasGradient = false },
        new("weight", "E", "32*D/128") { Dtype = ScalarType.Byte, HasGradient = false },
        new("w_scale", "1") { HasGradient = false },
    ];

    /// <summary>y, [batch, output].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new PackedBitLinearCpu(), new PackedBitLinearCuda()];

    /// <summary>Runs the layer.</summary>
    /// <param name="x">[..., dim].</param>
    /// <param name="norm">[dim].</param>
    /// <param name="codes">uint8 [output, bytes].</param>
    /// <param name="scale">[1].</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>[..., output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor norm, Tensor codes, Tensor scale, KernelChoice kernels)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var inputs = new NamedTensors { ["x"] = x.reshape(-1, x.shape[^1]), ["norm.weight"] = norm, ["weight"] = codes, ["w_scale"] = scale };
        var y = Instance.Invoke(inputs, OpOptions.None, kernels).Outputs["y"];
        return y.reshape([.. x.shape[..^1], codes.shape[0]]).MoveToOuterDisposeScope();
    }

    public override OpCost Floor(OpCall call, bool backward)
    {
        var (tokens, dim, rows) = ((double)call.Size("B"), (double)call.Size("D"), (double)call.Size("E"));
        return new OpCost(Bytes: rows * TernaryPacking.RowBytes(call.Size("D")) + 4 * tokens * (dim + rows), Flops: 2 * tokens * dim * rows)
        {
            Arithmetic = "int8",
        };
    }

    public override Tensor Sample(OpArgument argument, long[] shape) => argument.Name == "norm.weight" ? ones(shape)
        : TernaryMatmulOp.Instance.Arguments.Any(a => a.Name == argument.Name && argument.Name != "x") ? TernaryMatmulOp.Instance.Sample(argument, shape)
        : base.Sample(argument, shape);

    /// <summary>Activations that are whole numbers after their scaling, so that no rounding is near a boundary in either precision.</summary>
    public override Tensor? Example(OpArgument argument, long[] shape)
    {
        var values = new Random(7);
        return argument.Name switch
        {
            "x" => tensor(Enumerable.Range(0, (int)(shape[0] * shape[1])).Select(i => i % shape[1] == 0 ? 127f : values.Next(-127, 128)).ToArray(), shape),
            "norm.weight" => ones(shape),
            "weight" => TernaryMatmulOp.Instance.Example(argument, shape),
            _ => null,
        };
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var (xInt, xScale, _) = BitLinearReference.Quantize(inputs["x"], inputs["norm.weight"], QuantizedActivations.Epsilon);
        var y = TernaryMatmulReference.Forward(new()
        {
            ["x"] = xInt,
            ["x_scale"] = xScale.squeeze(-1),
            ["weight"] = inputs["weight"],
            ["w_scale"] = inputs["w_scale"],
        })["y"];
        return new() { ["y"] = y.MoveToOuterDisposeScope() };
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("E"))];
}
