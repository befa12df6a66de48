using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Ops.TernaryMatmul;

/// <summary>
/// 8-bit activations times a ternary matrix of two bits a weight, by byte products and adds of whole numbers: BitLinear at inference.
/// </summary>
/// <remarks>
/// The sums are exact, and scaled once: y = Σ x w · (w_scale / x_scale), the numbers that the unpacked layer computes. For inference: it has no
/// gradients. <see cref="TernaryPacking"/> has the layout of the matrix; README.md beside this file the reasons and measurements.
/// </remarks>
internal sealed class TernaryMatmulOp : Op
{
    /// <summary>Longer rows could overflow sums of 32 bits.</summary>
    private const long MostDim = 1 << 20;

    private const string Rows = "E", Bytes = "32*D/128";

    /// <summary>The op; it holds no state.</summary>
    public static TernaryMatmulOp Instance { get; } = new();

    private TernaryMatmulOp()
    {
    }

    public override string Name => "ternary_matmul";

    public override string Title => "8-bit activations times a ternary matrix of two bits a weight";

    /// <summary>
    /// x, int8 [batch, dim], and x_scale, [batch], which it was multiplied by; weight, uint8 [output, bytes]: the codes of a row; w_scale, [1], by
    /// which the ternary numbers are multiplied; bias, [output], zero where it is not given.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("x", "B", "D") { Dtype = ScalarType.Int8, HasGradient = false },
        new("x_scale", "B") { HasGradient = false },
        new("weight", Rows, Bytes) { Dtype = ScalarType.Byte, HasGradient = false },
        new("w_scale", "1") { HasGradient = false },
        new("bias", Rows) { HasGradient = false, Optional = true },
    ];

    /// <summary>y, [batch, output].</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new TernaryMatmulCpu(), new TernaryMatmulCuda()];

    /// <summary>libtorch's product of numbers that are not packed: what such a layer is without this op.</summary>
    public override IReadOnlyList<OpBaseline> Baselines { get; } =
    [
        new("libtorch-fp32", new UnpackedProduct(ScalarType.Float32).Run),
        new("libtorch-bf16", new UnpackedProduct(ScalarType.BFloat16).Run),
    ];

    /// <summary>Multiplies.</summary>
    /// <param name="x">int8 [batch, dim].</param>
    /// <param name="xScale">float32 [batch].</param>
    /// <param name="codes">uint8 [output, bytes], as <see cref="TernaryPacking"/> has them.</param>
    /// <param name="wScale">float32 [1].</param>
    /// <param name="bias">float32 [output], or null.</param>
    /// <param name="kernels">Which backend is wanted.</param>
    /// <returns>float32 [batch, output].</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor x, Tensor xScale, Tensor codes, Tensor wScale, Tensor? bias, KernelChoice kernels)
    {
        using var noGradient = no_grad();
        var inputs = new NamedTensors { ["x"] = x, ["x_scale"] = xScale, ["weight"] = codes, ["w_scale"] = wScale };
        if (bias is not null)
            inputs["bias"] = bias;
        return Instance.Invoke(inputs, OpOptions.None, kernels).Outputs["y"];
    }

    /// <summary>The codes are read, a quarter of a byte a weight, x too, and y written; two operations a weight and token.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        var (tokens, dim, rows) = ((double)call.Size("B"), (double)call.Size("D"), (double)call.Size("E"));
        return new OpCost(Bytes: rows * TernaryPacking.RowBytes(call.Size("D")) + tokens * (dim + 4 * rows), Flops: 2 * tokens * dim * rows)
        {
            Arithmetic = "int8",
        };
    }

    /// <summary>Random codes of the three that there are, activations of all 8 bits, and scales as layers have them.</summary>
    public override Tensor Sample(OpArgument argument, long[] shape)
    {
        using var scope = NewDisposeScope();
        var values = argument.Name switch
        {
            "x" => randint(-127, 128, shape, ScalarType.Int8),
            "x_scale" => empty(shape).uniform_(20, 60),
            "w_scale" => empty(shape).uniform_(0.01, 0.03),
            "weight" => RandomCodes(shape),
            _ => base.Sample(argument, shape),
        };
        return values.MoveToOuterDisposeScope();
    }

    /// <summary>The same values each time.</summary>
    public override Tensor? Example(OpArgument argument, long[] shape)
    {
        var values = new Random(argument.Name.Length);
        var count = (int)shape.Aggregate(1L, (a, b) => a * b);
        return argument.Name switch
        {
            "x" => tensor(Fill(() => (sbyte)values.Next(-127, 128)), shape),
            "weight" => tensor(Fill(() => (byte)(values.Next(3) | values.Next(3) << 2 | values.Next(3) << 4 | values.Next(3) << 6)), shape),
            _ => null,
        };

        T[] Fill<T>(Func<T> next) => [.. Enumerable.Range(0, count).Select(_ => next())];
    }

    protected override void Check(OpCall call)
    {
        if (call.Size("D") > MostDim)
            throw new ShapeException($"{Name}: 'x' is {Shape.Describe(call.Inputs["x"].shape)}; rows of more than {MostDim:N0} could overflow.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options) => TernaryMatmulReference.Forward(inputs);

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) => [new("y", call.Size("B"), call.Size("E"))];

    private static Tensor RandomCodes(long[] shape)
    {
        using var scope = NewDisposeScope();
        var codes = zeros(shape, ScalarType.Byte);
        for (var i = 0; i < 4; i++)
        {
            using Scalar four = (byte)4;
            codes = codes.mul(four).add(randint(0, 3, shape, ScalarType.Byte));
        }
        return codes.MoveToOuterDisposeScope();
    }
}
