using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.Kernels;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

public sealed unsafe class TernaryMatmulTests
{
    private static readonly TernaryMatmulOp Op = TernaryMatmulOp.Instance;

    [Test]
    public void Kernel_AnySizes_EqualsWholeNumbersBitForBit(
        [Values(0, 1, 3, 4, 5, 8, 13, 21)] int tokens, [Values(1, 31, 128, 129, 257, 513)] int dim, [Values(1, 4, 7, 66)] int rows, [Values] bool bias)
    {
        using var scope = NewDisposeScope();
        var values = new Random(tokens + dim + rows);
        var x = Enumerable.Range(0, tokens * dim).Select(_ => (sbyte)values.Next(-128, 128)).ToArray();
        var w = Enumerable.Range(0, rows * dim).Select(_ => values.Next(-1, 2)).ToArray();
        RequireExact(x, w, tokens, dim, rows, bias);
    }

    /// <summary>Sums of 16 bits are at their ends: every product has the same sign and the largest magnitude.</summary>
    [Test]
    public void Kernel_LargestValues_DoNotOverflow(
        [Values(1, 4, 8)] int tokens, [Values(2048, 4096, 4224, 8191)] int dim, [Values(-128, 127)] int x, [Values(-1, 0, 1)] int w)
    {
        using var scope = NewDisposeScope();
        RequireExact([.. Enumerable.Repeat((sbyte)x, tokens * dim)], [.. Enumerable.Repeat(w, 5 * dim)], tokens, dim, rows: 5, bias: false);
    }

    [Test]
    public void Entry_EitherBackend_SameBits([Values(1, 9)] int tokens, [Values(0, 1, 300)] int dim)
    {
        using var scope = NewDisposeScope();
        manual_seed(dim);
        var inputs = Inputs(tokens, dim, rows: 37);
        var (cpu, reference) = (Run(inputs, "cpu"), Run(inputs, "reference"));
        Assert.That(cpu.shape, Is.EqualTo(new long[] { tokens, 37 }));
        Assert.That(cpu.equal(reference).all().item<bool>(), Is.True);
    }

    [Test]
    public void Entry_StridedInputs_SameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var inputs = Inputs(tokens: 5, dim: 200, rows: 19);
        var strided = new NamedTensors(inputs)
        {
            ["x"] = inputs["x"].t().contiguous().t(),
            ["weight"] = cat([inputs["weight"], inputs["weight"]], dim: 1).narrow(1, 0, inputs["weight"].shape[1]),
            ["x_scale"] = stack([inputs["x_scale"], inputs["x_scale"]], dim: 1).select(1, 0),
        };
        Assert.That(Run(strided, "cpu").equal(Run(inputs, "cpu")).all().item<bool>(), Is.True);
    }

    [Test]
    public void Entry_AnyThreadsOrTile_SameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var inputs = Inputs(tokens: 13, dim: 700, rows: 501);
        var one = Run(inputs, "cpu");
        var before = WorkShare.Threads;
        try
        {
            WorkShare.Threads = 3;
            Assert.That(Run(inputs, "cpu").equal(one).all().item<bool>(), Is.True);
            var last = new NamedTensors(inputs) { ["x"] = inputs["x"].narrow(0, 9, 4), ["x_scale"] = inputs["x_scale"].narrow(0, 9, 4) };
            Assert.That(Run(last, "cpu").equal(one.narrow(0, 9, 4)).all().item<bool>(), Is.True);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Baselines_SameInputs_AreTheSameButForTheirRounding()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        var inputs = Inputs(tokens: 3, dim: 256, rows: 20);
        var exact = Run(inputs, "cpu");
        foreach (var (baseline, tolerance) in Op.Baselines.Zip([1e-6, 8e-3]))     // whole numbers below 2^24 are exact in float32, of 8 bits in bfloat16
        {
            var y = baseline.Run(inputs, OpOptions.None)["y"];
            Assert.That((y - exact).abs().max().item<float>(), Is.LessThanOrEqualTo(tolerance * exact.abs().max().item<float>()), baseline.Name);
        }
    }

    [Test]
    public void Check_WrongBytes_SaysHowMany()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors(Inputs(tokens: 1, dim: 129, rows: 3)) { ["weight"] = zeros([3, 32], ScalarType.Byte) };
        Assert.That(() => Run(inputs, "auto"), Throws.TypeOf<ShapeException>().With.Message.EqualTo("ternary_matmul: 'weight' is [3, 32] but must be [E 3, 32*D/128 64]."));
    }

    [Test]
    public void Pack_AnyWeights_UnpacksToRoundedOnes([Values(1, 127, 128, 300)] int dim)
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        var weight = randn(11, dim);
        var (codes, scale) = TernaryPacking.Pack(weight);
        var mean = weight.to(ScalarType.Float64).abs().mean().item<double>();
        Assert.That(scale.item<float>(), Is.EqualTo((float)mean), "summed in float64");
        var rounded = (weight / scale).round().clamp(-1, 1).to(ScalarType.Int8);
        Assert.That(TernaryPacking.Unpack(codes, dim).equal(rounded).all().item<bool>(), Is.True);
        Assert.That(TernaryPacking.HasUnknownCodes(codes), Is.False);
        codes[10, codes.shape[1] - 1] = tensor((byte)0b1101_0101);
        Assert.That(TernaryPacking.HasUnknownCodes(codes), Is.True);
    }

    [Test]
    public void WeightScale_InPieces_SameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(6);
        var weight = randn(1003);
        var values = KernelArray.Of(weight).Float32;
        var pieces = new WeightScale();
        pieces.Add(values, 640);
        pieces.Add(values + 640, 363);
        Assert.That(pieces.Value, Is.EqualTo(WeightScale.Of(values, 1003)));
        Assert.That(WeightScale.Of(values, 0), Is.EqualTo(WeightScale.Least));
        GC.KeepAlive(weight);
    }

    /// <summary>Runs the kernel on memory that holds NaN, and compares with sums of whole numbers.</summary>
    private static void RequireExact(sbyte[] x, int[] w, int tokens, int dim, int rows, bool bias)
    {
        var rowBytes = (int)TernaryPacking.RowBytes(dim);
        var codes = Enumerable.Repeat((byte)0x55, rows * rowBytes).ToArray();
        for (var i = 0; i < w.Length; i++)
        {
            var (row, k) = (i / dim, i % dim);
            codes[row * rowBytes + k / 128 * 32 + k % 32] += (byte)(w[i] << (k % 128 / 32 * 2));
        }
        var inputs = new NamedTensors
        {
            ["x"] = tensor(x, [tokens, dim]),
            ["x_scale"] = empty(tokens).uniform_(20, 60),
            ["weight"] = tensor(codes, [rows, rowBytes]),
            ["w_scale"] = tensor(new[] { 0.0173f }),
        };
        if (bias)
            inputs["bias"] = randn(rows);
        var y = full([tokens, rows], float.NaN);
        var arrays = new KernelArrays();
        foreach (var (name, tensor) in inputs)
            arrays.Add(name, KernelArray.Of(tensor));
        arrays.Add("y", KernelArray.Of(y));
        Op.Kernels.Single(k => k.Backend == KernelChoice.Cpu).Forward(Op.Describe(inputs, OpOptions.None), arrays);

        if (tokens == 0)
            return;
        var (actual, scales, biases) = (y.data<float>().ToArray(), inputs["x_scale"].data<float>().ToArray(), inputs.Find("bias")?.data<float>().ToArray());
        for (var token = 0; token < tokens; token++)
        {
            for (var row = 0; row < rows; row++)
            {
                var sum = 0;
                for (var k = 0; k < dim; k++)
                    sum += x[token * dim + k] * w[row * dim + k];
                var expected = sum * (0.0173f / scales[token]);
                if (biases is not null)
                    expected += biases[row];
                Assert.That(actual[token * rows + row], Is.EqualTo(expected), $"token {token}, row {row}");
            }
        }
    }

    private static NamedTensors Inputs(int tokens, int dim, int rows)
    {
        var sizes = new Dictionary<string, long> { ["B"] = tokens, ["D"] = dim, ["E"] = rows };
        return new(Op.Arguments.Select(a => KeyValuePair.Create(a.Name, Op.Sample(a, [.. a.Axes.Select(axis => OpArgument.SizeOf(axis, sizes)!.Value)]))));
    }

    private static Tensor Run(NamedTensors inputs, string kernels) => Op.Invoke(inputs, OpOptions.None, KernelChoice.Parse(kernels)).Outputs["y"];
}
