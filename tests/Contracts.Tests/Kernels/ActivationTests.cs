using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>gelu, swiglu and rope: kernels against their references in float64.</summary>
public sealed class ActivationTests
{
    /// <summary>Measured, in units of the largest value: 2.3e-7.</summary>
    private const double Tolerance = 5e-7;

    [Test]
    public void Gelu_AnyLength_EqualsFloat64([Values("none", "tanh")] string approximate, [Values(0, 1, 7, 17, 64, 65, 513, 40_000)] int count)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        Check(Gelu.Instance, new() { ["x"] = randn(1, 1, count) * 3 }, Approximate(approximate));
    }

    [Test]
    public void Gelu_OverItsRange_EqualsFloat64([Values("none", "tanh")] string approximate)
    {
        using var scope = NewDisposeScope();
        Check(Gelu.Instance, new() { ["x"] = linspace(-20, 20, 100_001).reshape(1, 1, -1) }, Approximate(approximate));
    }

    [Test]
    public void Gelu_FarBelowZero_KeepsItsPrecision()
    {
        using var scope = NewDisposeScope();
        var x = linspace(-9, -1, 1001).reshape(1, 1, -1);
        var exact = KernelRun.Entry(Gelu.Instance, new() { ["x"] = x }, OpOptions.None, [], [], "reference", ScalarType.Float64)["y"];
        // The reference itself, 1 + erf, cancels below -6; x Φ(x) with the complementary function is the same and does not.
        exact = where(x < -4, 0.5 * x.to(ScalarType.Float64) * (-x.to(ScalarType.Float64) * Math.Sqrt(0.5)).erfc(), exact);
        var error = ((Gelu.Apply(x).to(ScalarType.Float64) - exact) / exact).abs().max().item<double>();
        Assert.That(error, Is.LessThan(1e-5));   // measured 5e-6: x² / 2 near 40 is rounded before its exponential is taken
    }

    [Test]
    public void Gelu_UnknownApproximation_IsRefused() =>
        Assert.That(() => Gelu.Instance.Invoke(new() { ["x"] = ones(1, 1, 1) }, Approximate("erf"), KernelChoice.Auto), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("gelu: 'approximate' is \"erf\"; it must be \"none\" or \"tanh\"."));

    [Test]
    public void SwiGlu_AnyLength_EqualsFloat64([Values(0, 1, 7, 17, 64, 65, 513, 40_000)] int count, [Range(0, 3)] int subset)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["gate"] = randn(1, 1, count) * 5, ["up"] = randn(1, 1, count) };
        Check(SwiGlu.Instance, inputs, OpOptions.None, [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCase(-80f), TestCase(80f), TestCase(0f)]
    public void SwiGlu_ExtremeGate_EqualsFloat64(float gate)
    {
        using var scope = NewDisposeScope();
        Check(SwiGlu.Instance, new() { ["gate"] = full([1, 2, 19], gate), ["up"] = randn(1, 2, 19) }, OpOptions.None);
    }

    [Test]
    public void Rope_AnyShape_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length, [Values(2, 6, 32, 66)] int dim, [Values(0, 1, 3)] int batch)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var angles = rand(length, dim / 2) * 6;
        Check(Rope.Instance, new() { ["x"] = randn(batch, length, 3, dim), ["cos"] = angles.cos(), ["sin"] = angles.sin() }, OpOptions.None, ["x"]);
    }

    [Test]
    public void Rope_AngleGrowsWithPosition_ScoresDependOnDistanceAlone()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var angles = arange(20, ScalarType.Float32).unsqueeze(1) * tensor(new[] { 1f, 0.1f, 0.01f });
        Tensor Turned(Tensor x) => Rope.Apply(x.expand(1, 20, 1, 6), angles.cos(), angles.sin()).reshape(20, 6);
        var scores = Turned(randn(1, 1, 1, 6)).mm(Turned(randn(1, 1, 1, 6)).t());
        for (var i = 1; i < 20; i++)
            Assert.That(scores[i, i - 1].item<float>(), Is.EqualTo(scores[1, 0].item<float>()).Within(1e-5));
    }

    [Test]
    public void Rope_TablesOfAnotherWidth_AreRefused() =>
        Assert.That(() => Rope.Apply(ones(1, 2, 1, 6), ones(2, 6), ones(2, 6)), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("rope: 'cos' is [2, 6] but must be [time 2, half of x's head dimension 6]."));

    [TestCase(new long[] { }), TestCase(new long[] { 5 }), TestCase(new long[] { 2, 5 }), TestCase(new long[] { 2, 3, 5 }), TestCase(new long[] { 2, 1, 3, 5 })]
    public void Apply_AnyAxes_KeepsThem(long[] shape)
    {
        using var scope = NewDisposeScope();
        var x = randn(shape).requires_grad_();
        Assert.That(new[] { Gelu.Apply(x).shape, SwiGlu.Apply(x, x).shape }, Is.All.EqualTo(shape));
        Assert.That(() => SwiGlu.Apply(x, ones(7, 7)), Throws.TypeOf<ShapeException>());
    }

    private static OpOptions Approximate(string how) => new(new() { ["approximate"] = how });

    private static void Check(Op op, NamedTensors inputs, OpOptions options, IReadOnlyCollection<string>? wanted = null)
    {
        wanted ??= [.. inputs.Keys];
        var first = inputs.Values.First();
        var cotangents = new NamedTensors { ["y"] = randn(first.shape) };
        var actual = KernelRun.Kernel(op, inputs, options, new() { ["y"] = first }, cotangents, wanted);
        var exact = KernelRun.Entry(op, inputs, options, cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
