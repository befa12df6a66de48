using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>gelu_mlp: the kernel against the definition in float64.</summary>
public sealed class GeluMlpTests
{
    /// <summary>Measured, in units of the largest value, at least 1: 9.4e-7, of y.</summary>
    private const double Tolerance = 1.8e-6;

    private static readonly string[] Everything = ["x", "in_weight", "out_weight", "in_bias", "out_bias"];

    // Rows: a tile, a piece and a block of sums, and one past each. Columns: a panel at each width and one past it.
    [Test]
    public void GeluMlp_AnySize_EqualsFloat64(
        [Values(0, 1, 5, 96, 97, 513)] int rows, [Values(1, 16, 65)] int dim, [Values(1, 64, 131)] int hidden, [Values(1, 33, 64)] int outputs, [Values] bool tanh)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(1, rows, dim, hidden, outputs, inBias: true, outBias: true), tanh, Everything);
    }

    // Sums longer than a block of a panel at any width, in blocks that end between panels.
    [TestCase(300, 600, 20), TestCase(530, 70, 1100), TestCase(20, 1031, 300)]
    public void GeluMlp_LongSums_EqualsFloat64(int dim, int hidden, int outputs)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(2, 131, dim, hidden, outputs, inBias: true, outBias: true), false, Everything);
    }

    [Test]
    public void GeluMlp_AnySubset_EqualsFloat64([Range(0, 31)] int subset, [Values] bool inBias, [Values] bool outBias)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(3, 37, 20, 50, 14, inBias, outBias);
        Check(inputs, false, [.. Everything.Where((name, i) => (subset >> i & 1) == 1 && inputs.ContainsKey(name))]);
    }

    [TestCase(0, 5), TestCase(2, 0)]
    public void GeluMlp_Nothing_HasGradientsOfZero(int batch, int time)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, time, 8, 12, 6, inBias: true, outBias: true), false, Everything);
    }

    [Test]
    public void GeluMlp_GradientAbsent_IsZero()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var results = Run(Inputs(1, 29, 9, 40, 7, inBias: true, outBias: true), false, Everything, []);
        foreach (var name in Everything)
            Assert.That(results["gradient of " + name].eq(0).all().item<bool>(), Is.True, name);
    }

    [Test]
    public void GeluMlp_ThroughAutograd_EqualsFloat64([Values] bool transposed, [Values] bool tanh)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(2, 70, 24, 36, 20, inBias: true, outBias: true);
        if (transposed)
        {
            foreach (var name in new[] { "in_weight", "out_weight" })
                inputs[name] = inputs[name].t().contiguous().t();
            inputs["x"] = inputs["x"].transpose(0, 1).contiguous().transpose(0, 1);
        }
        NamedTensors cotangents = new() { ["y"] = randn(2, 70, 20) };
        var actual = KernelRun.Entry(GeluMlp.Instance, inputs, Options(tanh), cotangents, Everything, "cpu", ScalarType.Float32);
        var exact = KernelRun.Entry(GeluMlp.Instance, inputs, Options(tanh), cotangents, Everything, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void GeluMlp_WithoutGradient_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(1, 200, 30, 70, 40, inBias: true, outBias: false);
        var y = GeluMlp.Apply(inputs["x"], inputs["in_weight"], inputs["in_bias"], inputs["out_weight"], null);
        using var noGradient = no_grad();
        Assert.That(Run(inputs, false, [], [])["y"].equal(y).all().item<bool>(), Is.True);
    }

    [Test]
    public void GeluMlp_TwoThreads_GiveTheSameBits([Values] bool tanh)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(1, 700, 100, 150, 130, inBias: true, outBias: true);
        NamedTensors cotangents = new() { ["y"] = randn(1, 700, 130) };
        var one = Run(inputs, tanh, Everything, cotangents);
        var threads = WorkShare.Threads;
        try
        {
            WorkShare.Threads = 2;
            foreach (var (name, tensor) in Run(inputs, tanh, Everything, cotangents))
                Assert.That(tensor.equal(one[name]).all().item<bool>(), Is.True, name);
        }
        finally
        {
            WorkShare.Threads = threads;
        }
    }

    // The hidden numbers are x itself, and so far out that Φ is 0 or 1 to float32.
    [TestCase(false), TestCase(true)]
    public void GeluMlp_ExtremeHidden_EqualsFloat64(bool tanh)
    {
        using var scope = NewDisposeScope();
        NamedTensors inputs = new()
        {
            ["x"] = tensor(new[] { -1e4f, -30, -12, -6, -1, -1e-20f, 0, 1e-20f, 1, 6, 12, 30, 1e4f }).reshape(1, 13, 1),
            ["in_weight"] = ones(1, 1),
            ["out_weight"] = ones(1, 1),
        };
        NamedTensors cotangents = new() { ["y"] = ones(1, 13, 1) };
        var actual = Run(inputs, tanh, ["x"], cotangents);
        var exact = KernelRun.Entry(GeluMlp.Instance, inputs, Options(tanh), cotangents, ["x"], "reference", ScalarType.Float64);
        foreach (var name in new[] { "y", "gradient of x" })
        {
            var error = (actual[name].to(ScalarType.Float64) - exact[name]).abs() / exact[name].abs().maximum(ones(1, ScalarType.Float64));
            Assert.That(error.max().item<double>(), Is.LessThan(Tolerance), name);
        }
    }

    [TestCase(new long[] { 5 }), TestCase(new long[] { 3, 5 }), TestCase(new long[] { 2, 3, 5 }), TestCase(new long[] { 2, 1, 3, 5 })]
    public void Apply_AnyAxes_KeepsThem(long[] shape)
    {
        using var scope = NewDisposeScope();
        var y = GeluMlp.Apply(randn(shape), randn(8, 5), null, randn(4, 8), null);
        Assert.That(y.shape, Is.EqualTo((long[])[.. shape[..^1], 4]));
    }

    [Test]
    public void GeluMlp_WrongCalls_AreRefused()
    {
        using var scope = NewDisposeScope();
        NamedTensors inputs = new() { ["x"] = ones(1, 2, 5), ["in_weight"] = ones(7, 5), ["out_weight"] = ones(3, 7) };
        Assert.Multiple(() =>
        {
            Assert.That(() => GeluMlp.Instance.Invoke(inputs, new(new() { ["approximate"] = "erf" }), KernelChoice.Auto), Throws.TypeOf<UserException>()
                .With.Message.EqualTo("gelu_mlp: 'approximate' is \"erf\"; it must be \"none\" or \"tanh\"."));
            Assert.That(() => GeluMlp.Apply(ones(2, 5), ones(7, 5), null, ones(3, 8), null), Throws.TypeOf<ShapeException>());
            Assert.That(() => GeluMlp.Apply(ones(2, 4), ones(7, 5), null, ones(3, 7), null), Throws.TypeOf<ShapeException>());
            Assert.That(() => GeluMlp.Apply(ones([]), ones(7, 5), null, ones(3, 7), null), Throws.TypeOf<ShapeException>());
        });
    }

    [Test]
    public void MixedPrecision_ManyRowsInFloat32_RunTheOp()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor x = randn(70, 12), inWeight = randn(24, 12), inBias = randn(24), outWeight = randn(8, 24);
        OpUsage.Reset();
        var own = MixedPrecision.GeluMlp(x, inWeight, inBias, outWeight, null, tanh: false, ScalarType.Float32, KernelChoice.Auto);
        Assert.That(OpUsage.Backends, Is.EqualTo(new Dictionary<string, string> { ["gelu_mlp"] = KernelChoice.Cpu }));
        OpUsage.Reset();
        MixedPrecision.GeluMlp(x, inWeight, inBias, outWeight, null, tanh: false, ScalarType.BFloat16, KernelChoice.Auto);
        var few = MixedPrecision.GeluMlp(x.narrow(0, 0, 8), inWeight, inBias, outWeight, null, tanh: false, ScalarType.Float32, KernelChoice.Auto);
        Assert.Multiple(() =>
        {
            Assert.That(OpUsage.Backends, Is.EqualTo(new Dictionary<string, string> { ["gelu"] = KernelChoice.Cpu }));
            Assert.That((own.narrow(0, 0, 8) - few).abs().max().item<float>(), Is.LessThan(2e-5));
        });
    }

    private static NamedTensors Inputs(int batch, int time, int dim, int hidden, int outputs, bool inBias, bool outBias)
    {
        NamedTensors inputs = new()
        {
            ["x"] = randn(batch, time, dim),
            ["in_weight"] = randn(hidden, dim) / Math.Sqrt(dim),
            ["out_weight"] = randn(outputs, hidden) / Math.Sqrt(hidden),
        };
        if (inBias)
            inputs["in_bias"] = randn(hidden);
        if (outBias)
            inputs["out_bias"] = randn(outputs);
        return inputs;
    }

    private static OpOptions Options(bool tanh) => tanh ? new(new() { ["approximate"] = "tanh" }) : OpOptions.None;

    private static NamedTensors Run(NamedTensors inputs, bool tanh, string[] wanted, NamedTensors cotangents)
    {
        NamedTensors outputs = new() { ["y"] = zeros([.. inputs["x"].shape[..^1], inputs["out_weight"].shape[0]]) };
        return KernelRun.Kernel(GeluMlp.Instance, inputs, Options(tanh), outputs, cotangents, wanted);
    }

    private static void Check(NamedTensors inputs, bool tanh, string[] wanted)
    {
        manual_seed(2);
        var outputs = inputs["out_weight"].shape[0];
        // So that a hidden number's gradient, a sum over outputs, is about 1, and the errors are in units of its terms even where they cancel.
        NamedTensors cotangents = new() { ["y"] = randn([.. inputs["x"].shape[..^1], outputs]) / Math.Sqrt(outputs * Math.Max(1, inputs["x"].numel() / inputs["x"].shape[2])) };
        var actual = Run(inputs, tanh, wanted, cotangents);
        var exact = KernelRun.Entry(GeluMlp.Instance, inputs, Options(tanh), cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
