using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>linear: the kernel against the definition in float64.</summary>
public sealed class LinearProductTests
{
    /// <summary>Measured, in units of the largest value: 6.9e-7, a gradient of x without fused multiply-add.</summary>
    private const double Tolerance = 1.4e-6;

    // Rows: a tile, a piece and a block of sums, and one past each. Columns: a panel at each width and one past it; more outputs than inputs and fewer.
    [Test]
    public void Linear_AnySize_EqualsFloat64([Values(0, 1, 5, 96, 97, 513)] int rows, [Values(1, 16, 65, 200)] int dim, [Values(1, 33, 64, 210)] int outputs)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(1, rows, dim, outputs, bias: true), 1, ["x", "weight", "bias"]);
    }

    [Test]
    public void Linear_LongSums_EqualsFloat64([Values(300, 513)] int dim, [Values(1, 3)] int parts)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(2, 1031, dim, 3 * 67, bias: true), parts, ["x", "weight", "bias"]);
    }

    // Matrices that are multiplied panel by panel. Rows: fewer than a tile, a block and more than one; sums in one piece and in several; a panel that is not full.
    [TestCase(1, 300, 900, 1), TestCase(5, 300, 900, 3), TestCase(1100, 300, 900, 2), TestCase(250, 5000, 67, 1), TestCase(513, 1537, 180, 3), TestCase(30, 3, 90000, 1)]
    public void Linear_LargeMatrix_EqualsFloat64(int rows, int dim, int outputs, int parts)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(1, rows, dim, outputs, bias: parts != 2), parts, []);
    }

    [Test]
    public void Linear_AnySubset_EqualsFloat64([Values(1, 2, 3)] int parts, [Range(0, 7)] int subset, [Values] bool bias)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(3, 37, 20, 6 * 7, bias);
        Check(inputs, parts, [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
        Check(Inputs(3, 37, 50, 6 * 7, bias), parts, [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCase(0, 5), TestCase(2, 0)]
    public void Linear_Nothing_HasGradientsOfZero(int batch, int time)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, time, 8, 6, bias: true), 2, ["x", "weight", "bias"]);
    }

    [Test]
    public void Linear_PartUnused_AddsNothing([Range(0, 7)] int used, [Values(9, 40)] int dim)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Inputs(1, 29, dim, 3 * 18, bias: true), 3, ["x", "weight", "bias"], used);
    }

    [Test]
    public void Linear_ThroughAutograd_EqualsFloat64([Values] bool transposed)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(2, 70, 24, 36, bias: true);
        if (transposed)
            inputs["weight"] = inputs["weight"].t().contiguous().t();
        var cotangents = Cotangents(inputs, 3);
        var actual = KernelRun.Entry(LinearProduct.Instance, inputs, Options(3), cotangents, ["x", "weight", "bias"], "cpu", ScalarType.Float32);
        var exact = KernelRun.Entry(LinearProduct.Instance, inputs, Options(3), cotangents, ["x", "weight", "bias"], "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [TestCase(40, 200, 1), TestCase(40, 200, 2), TestCase(130, 200, 1), TestCase(130, 200, 2), TestCase(600, 450, 1), TestCase(600, 450, 2)]
    public void Linear_TwoThreads_GiveTheSameBits(int dim, int outputs, int parts)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = Inputs(1, 700, dim, outputs, bias: true);
        var one = Run(inputs, parts, ["x", "weight", "bias"]);
        var threads = WorkShare.Threads;
        try
        {
            WorkShare.Threads = 2;
            foreach (var (name, tensor) in Run(inputs, parts, ["x", "weight", "bias"]))
                Assert.That(tensor.equal(one[name]).all().item<bool>(), Is.True, name);
        }
        finally
        {
            WorkShare.Threads = threads;
        }
    }

    [Test]
    public void Linear_InfinityInOneRow_StaysThere()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 20, 8, 40, bias: false);
        inputs["x"][0, 7, 3] = float.PositiveInfinity;
        var finite = LinearProduct.Apply(inputs["x"], inputs["weight"]).isfinite().all(2)[0];
        Assert.That(Enumerable.Range(0, 20).Where(row => !finite[row].item<bool>()), Is.EqualTo([7]));
    }

    [TestCase(new long[] { 5 }), TestCase(new long[] { 3, 5 }), TestCase(new long[] { 2, 3, 5 }), TestCase(new long[] { 2, 1, 3, 5 })]
    public void Apply_AnyAxes_KeepsThem(long[] shape)
    {
        using var scope = NewDisposeScope();
        var parts = LinearProduct.Apply(randn(shape), randn(8, 5), null, parts: 2);
        Assert.That(parts.Select(p => p.shape), Is.All.EqualTo((long[])[.. shape[..^1], 4]));
    }

    [Test]
    public void Linear_WrongCalls_AreRefused()
    {
        using var scope = NewDisposeScope();
        Assert.Multiple(() =>
        {
            Assert.That(() => LinearProduct.Apply(ones(2, 5), ones(7, 5), null, parts: 2), Throws.TypeOf<ShapeException>()
                .With.Message.EqualTo("linear: 'weight' is [7, 5]; its rows cannot be cut into 2 equal parts."));
            Assert.That(() => LinearProduct.Apply(ones(2, 5), ones(8, 5), null, parts: 4), Throws.TypeOf<UserException>()
                .With.Message.EqualTo("linear: 'parts' is 4; it must be 1 to 3."));
            Assert.That(() => LinearProduct.Apply(ones(2, 5), ones(8, 4)), Throws.TypeOf<ShapeException>());
            Assert.That(() => LinearProduct.Apply(ones([]), ones(8, 4)), Throws.TypeOf<ShapeException>());
        });
    }

    [Test]
    public void MixedPrecision_ManyRowsAndAChoice_RunTheOp()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor x = randn(70, 12), weight = randn(24, 12), bias = randn(24);
        OpUsage.Reset();
        var libtorch = MixedPrecision.LinearParts(x, weight, bias, 2, ScalarType.Float32);
        MixedPrecision.Linear(x.narrow(0, 0, 8), weight, bias, ScalarType.Float32, KernelChoice.Auto);
        MixedPrecision.Linear(x, weight, bias, ScalarType.BFloat16, KernelChoice.Auto);
        MixedPrecision.Linear(x.to(ScalarType.Float64), weight.to(ScalarType.Float64), null, ScalarType.Float32, KernelChoice.Auto);
        Assert.That(OpUsage.Backends, Is.Empty);
        var own = MixedPrecision.LinearParts(x, weight, bias, 2, ScalarType.Float32, KernelChoice.Auto);
        Assert.Multiple(() =>
        {
            Assert.That(OpUsage.Backends, Is.EqualTo(new Dictionary<string, string> { ["linear"] = KernelChoice.Cpu }));
            for (var i = 0; i < 2; i++)
                Assert.That((own[i] - libtorch[i]).abs().max().item<float>(), Is.LessThan(5e-6));
        });
    }

    [Test]
    public void MixedPrecision_LargeMatrix_RunsTheOpWithoutGradients()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Tensor x = randn(70, 600), weight = randn(450, 600) / 24;
        OpUsage.Reset();
        var libtorch = MixedPrecision.Linear(x, weight, null, ScalarType.Float32, KernelChoice.Auto);
        Assert.That(OpUsage.Backends, Is.Empty);
        using var noGradient = no_grad();
        var own = MixedPrecision.Linear(x, weight, null, ScalarType.Float32, KernelChoice.Auto);
        Assert.Multiple(() =>
        {
            Assert.That(OpUsage.Backends, Has.Count.EqualTo(Simd.Bits == 256 ? 1 : 0));
            Assert.That((own - libtorch).abs().max().item<float>(), Is.LessThan(1e-5));
        });
    }

    private static NamedTensors Inputs(int batch, int time, int dim, int outputs, bool bias)
    {
        var inputs = new NamedTensors { ["x"] = randn(batch, time, dim), ["weight"] = randn(outputs, dim) / Math.Sqrt(dim) };
        if (bias)
            inputs["bias"] = randn(outputs);
        return inputs;
    }

    private static OpOptions Options(int parts) => new(new() { ["parts"] = parts });

    private static NamedTensors Cotangents(NamedTensors inputs, int parts)
    {
        long[] shape = [.. inputs["x"].shape[..^1], inputs["weight"].shape[0] / parts];
        return new(LinearProduct.Instance.Outputs.Take(parts).Select(name => KeyValuePair.Create(name, randn(shape))));
    }

    private static NamedTensors Run(NamedTensors inputs, int parts, string[] wanted, NamedTensors? cotangents = null)
    {
        manual_seed(2);
        var outputs = Cotangents(inputs, parts);
        return KernelRun.Kernel(LinearProduct.Instance, inputs, Options(parts), outputs, cotangents ?? outputs, wanted);
    }

    private static void Check(NamedTensors inputs, int parts, string[] wanted, int used = 7)
    {
        manual_seed(2);
        var cotangents = new NamedTensors(Cotangents(inputs, parts).Where((_, i) => (used >> i & 1) == 1));
        var actual = Run(inputs, parts, wanted, cotangents);
        var exact = KernelRun.Entry(LinearProduct.Instance, inputs, Options(parts), cotangents, wanted, "reference", ScalarType.Float64);
        foreach (var name in wanted)
            exact.TryAdd("gradient of " + name, zeros_like(inputs[name]));
        var (worst, what) = KernelRun.Difference(actual, exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
