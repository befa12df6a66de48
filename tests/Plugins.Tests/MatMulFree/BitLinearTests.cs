using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.Kernels;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

/// <summary>
/// The ternary layer's cpu kernel. A number near the middle between two integers may be rounded either way; so what was rounded is held to half an
/// integer and a little, and all else to float64 arithmetic on the very integers that the kernel chose.
/// </summary>
public sealed class BitLinearTests
{
    /// <summary>Measured, in units of the largest value: 1.5e-6.</summary>
    private const double Tolerance = 3e-6;

    /// <summary>In rows of one number the gradient of x is what is left of two terms that cancel; measured 9.2e-6 of those terms.</summary>
    private const double CancellingTolerance = 2e-5;

    private static readonly BitLinearOp Op = BitLinearOp.Instance;
    private static readonly OpOptions ResultAlone = Options("integers", false);

    [Test]
    public void Kernel_AnySizes_EqualsItsIntegersInFloat64(
        [Values(0, 1, 17, 65, 130)] int rows, [Values(1, 7, 33, 128, 300)] int inputs, [Values(1, 9, 64, 130)] int outputs)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(rows, inputs, outputs, bias: outputs != 64);
        Check(arguments, [.. arguments.Keys]);
    }

    [Test]
    public void Kernel_ManyRows_SumsOverChunks()
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(2_100, 130, 40, bias: true);
        Check(arguments, [.. arguments.Keys]);
    }

    [Test]
    public void Kernel_ManyWeights_SumsOverChunks()
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(40, 2_000, 600, bias: false);
        Check(arguments, [.. arguments.Keys]);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 15)] int subset)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(19, 37, 21, bias: true);
        Check(arguments, [.. arguments.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCase(0f), TestCase(1e-20f), TestCase(1e-3f), TestCase(1e15f)]
    public void Kernel_SmallAndLargeRows_EqualsItsIntegersInFloat64(float size)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(9, 37, 21, bias: false);
        arguments["x"].mul_(size);
        Check(arguments, [.. arguments.Keys]);
    }

    [Test]
    public void Kernel_WeightsAllZero_GivesZero()
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(9, 37, 21, bias: false);
        arguments["weight"].zero_();
        var outputs = Op.Invoke(arguments, OpOptions.None, KernelChoice.Parse("cpu")).Outputs;
        Assert.That(outputs["y"].eq(0).all().item<bool>(), Is.True);
        Assert.That(outputs["w_scale"].item<float>(), Is.EqualTo(1e-5f));
    }

    [Test]
    public void Kernel_LargestIntegersEverywhere_SumIsExact([Values(255, 256, 257, 300, 4_999)] int inputs)
    {
        using var scope = NewDisposeScope();
        var signs = randn(2, inputs).sign();
        var arguments = new NamedTensors { ["x"] = signs, ["norm.weight"] = ones(inputs), ["weight"] = stack([signs[0], signs[1], -signs[0], ones(inputs)]) };
        var outputs = Op.Invoke(arguments, OpOptions.None, KernelChoice.Parse("cpu")).Outputs;
        Assert.That(outputs["x_int8"].abs().eq(127).all().item<bool>(), Is.True);
        var sums = outputs["x_int8"].to(ScalarType.Float64).mm(outputs["w_ternary"].to(ScalarType.Float64).t());
        Assert.That(sums[0, 0].item<double>(), Is.EqualTo(127.0 * inputs));
        var expected = sums.to(ScalarType.Float32) * (outputs["w_scale"] / outputs["x_scale"]);
        Assert.That(outputs["y"].Equals(expected), Is.True);
    }

    [Test]
    public void Kernel_RowWithNaN_IsNaNAndOthersAreNot([Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(5, 37, 21, bias: false);
        arguments["x"][2, 5] = bad;
        var y = Op.Invoke(arguments, ResultAlone, KernelChoice.Parse("cpu")).Outputs["y"];
        Assert.That(y.isnan().all(1).data<bool>().ToArray(), Is.EqualTo(new[] { false, false, true, false, false }));
        arguments["x"][2, 5] = 1;
        arguments["weight"][0, 0] = float.NaN;
        Assert.That(Op.Invoke(arguments, ResultAlone, KernelChoice.Parse("cpu")).Outputs["y"].isnan().all().item<bool>(), Is.True);
    }

    [Test]
    public void Reference_OnTheSameIntegers_SameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(5);
        // Whole numbers to start from: both ways of normalising give the same integers.
        var x = randint(-127, 128, [11, 64], ScalarType.Float32);
        x.select(1, 0).fill_(127);
        var arguments = new NamedTensors { ["x"] = x, ["norm.weight"] = ones(64), ["weight"] = randint(-1, 2, [30, 64], ScalarType.Float32) };
        var cpu = Op.Invoke(arguments, OpOptions.None, KernelChoice.Parse("cpu")).Outputs;
        var reference = Op.Invoke(arguments, OpOptions.None, KernelChoice.Parse("reference")).Outputs;
        Assert.That(cpu["x_int8"].Equals(reference["x_int8"]), Is.True);
        Assert.That(cpu["w_scale"].item<float>(), Is.EqualTo(reference["w_scale"].item<float>()));
        var ratio = cpu["x_scale"] / reference["x_scale"];
        TensorAssert.Close(cpu["y"] * ratio, reference["y"], 0, 4e-7, "y but for the last digit of x_scale");
    }

    [Test]
    public void Invoke_StridedInputsAndAnyLeadingAxes_EqualsRows([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(30, 19, 11, bias: true);
        var expected = Op.Invoke(arguments, ResultAlone, KernelChoice.Parse(kernels)).Outputs["y"];
        var strided = new NamedTensors(arguments)
        {
            ["x"] = arguments["x"].view(5, 3, 2, 19).permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0),
            ["weight"] = arguments["weight"].t().contiguous().t(),
        };
        var y = Op.Invoke(strided, ResultAlone, KernelChoice.Parse(kernels)).Outputs["y"];
        Assert.That(y.shape, Is.EqualTo(new long[] { 5, 3, 2, 11 }));
        TensorAssert.Close(y.reshape(30, 11), expected, 2e-6, 0, "y");
    }

    [Test]
    public void Invoke_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(700, 65, 80, bias: true);
        var probe = randn(700, 80);
        try
        {
            WorkShare.Threads = 1;
            var one = KernelRun.Entry(Op, arguments, ResultAlone, new() { ["y"] = probe }, [.. arguments.Keys], "cpu", ScalarType.Float32);
            WorkShare.Threads = 2;
            var two = KernelRun.Entry(Op, arguments, ResultAlone, new() { ["y"] = probe }, [.. arguments.Keys], "cpu", ScalarType.Float32);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [Test]
    public void Invoke_Unfused_IgnoresTheBiasAndHasItsOwnEpsilon([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(3, 16, 8, bias: true);
        arguments["x"].mul_(1e-4f);
        var without = new NamedTensors(arguments.Where(a => a.Key != "bias"));
        NamedTensors Run(NamedTensors given, JsonObject options) => Op.Invoke(given, new OpOptions(options), KernelChoice.Parse(kernels)).Outputs;
        var unfused = Run(arguments, new() { ["fused"] = false });
        Assert.That(unfused["y"].Equals(Run(without, new() { ["norm_eps"] = 1e-8 })["y"]), Is.True);
        Assert.That(unfused["x_scale"].allclose(Run(without, [])["x_scale"]), Is.False);
        Assert.That(Run(without, [])["y"].Equals(Run(without, new() { ["norm_eps"] = 1e-6 })["y"]), Is.True);
    }

    [Test]
    public void Invoke_WrongArguments_SaysWhat()
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(3, 16, 8, bias: false);
        Assert.That(() => Op.Invoke(new(arguments) { ["weight"] = ones(8, 15) }, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("bitlinear: 'weight' is [8, 15] but must be [E 8, D 16]."));
        Assert.That(() => Op.Invoke(arguments, Options("norm_eps", -1), KernelChoice.Auto),
            Throws.TypeOf<UserException>().With.Message.EqualTo("bitlinear: 'norm_eps' is -1; it must be at least 0."));
        Assert.That(() => Op.Invoke(new() { ["x"] = ones(1, 65_537), ["norm.weight"] = ones(65_537), ["weight"] = ones(1, 65_537) }, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.Contains("they must have 1 to 65536"));
    }

    [Test]
    public void Threshold_AnyScale_SeparatesAsTheQuotientDoes()
    {
        var random = new Random(3);
        for (var i = 0; i < 20_000; i++)
        {
            var scale = 1e-5f + random.NextSingle() * (i % 2 == 0 ? 1 : 1e-3f);
            var threshold = WeightScale.Threshold(scale);
            var (above, far) = (MathF.BitIncrement(threshold), MathF.BitDecrement(threshold));
            Assert.That(new[] { far, threshold, above, -above }.Select(w => WeightScale.Ternary(w, scale)), Is.EqualTo([0, 0, 1, -1]), scale.ToString("R"));
        }
    }

    private static OpOptions Options(string name, JsonNode value) => new(new JsonObject { [name] = value });

    private static NamedTensors Arguments(long rows, long inputs, long outputs, bool bias)
    {
        manual_seed(1);
        var arguments = new NamedTensors
        {
            ["x"] = randn(rows, inputs),
            ["norm.weight"] = randn(inputs),
            ["weight"] = randn(outputs, inputs),
        };
        if (bias)
            arguments["bias"] = randn(outputs);
        return arguments;
    }

    private static void Check(NamedTensors arguments, IReadOnlyCollection<string> wanted)
    {
        var (x, norm, w) = (arguments["x"], arguments["norm.weight"], arguments["weight"]);
        manual_seed(3);
        var probe = randn(x.size(0), w.size(0));
        var y = new NamedTensors { ["y"] = probe };
        var actual = KernelRun.Kernel(Op, arguments, ResultAlone, y, y, wanted);
        var integers = Op.Invoke(arguments, OpOptions.None, KernelChoice.Parse("cpu")).Outputs;
        var (xInt, wInt) = (integers["x_int8"].to(ScalarType.Float64), integers["w_ternary"].to(ScalarType.Float64));

        var leaves = new NamedTensors(arguments.Select(a => KeyValuePair.Create(a.Key, a.Value.detach().to(ScalarType.Float64).requires_grad_())));
        var n = leaves["x"] * (leaves["x"].square().mean([-1], keepdim: true) + 1e-6).rsqrt() * leaves["norm.weight"];
        var xScale = 127 / n.detach().abs().amax([-1], keepdim: true).clamp_min(1e-5);
        var wScale = w.to(ScalarType.Float64).abs().mean().clamp_min(1e-5);
        if (x.numel() > 0)
        {
            Assert.That((n.detach() * xScale - xInt).abs().max().item<double>(), Is.LessThan(0.5 + 1e-4), "x_int8");
            TensorAssert.Close(integers["x_scale"].to(ScalarType.Float64), xScale, 0, 1e-5, "x_scale");
        }
        Assert.That((w.to(ScalarType.Float64) / wScale).clamp(-1, 1).sub(wInt).abs().max().item<double>(), Is.LessThan(0.5 + 1e-6), "w_ternary");
        Assert.That(integers["w_scale"].item<float>(), Is.EqualTo(wScale.item<double>()).Within(1e-5).Percent);
        if (x.numel() == 0)
            xScale = ones(0, 1, ScalarType.Float64);
        var expected = nn.functional.linear(n + (xInt / xScale - n).detach(), leaves["weight"] + (wInt * wScale - leaves["weight"]).detach(), leaves.Find("bias"));
        var results = new NamedTensors { ["y"] = expected.detach() };
        (expected * probe.to(ScalarType.Float64)).sum().backward();
        foreach (var name in wanted)
            results["gradient of " + name] = leaves[name].grad!;
        var (worst, what) = KernelRun.Difference(actual, results);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(x.size(1) == 1 ? CancellingTolerance : Tolerance), what);
    }
}
