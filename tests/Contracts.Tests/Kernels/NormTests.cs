using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>Both normalisations: kernel against the reference in float64.</summary>
[TestFixture("rms_norm")]
[TestFixture("layer_norm")]
public sealed class NormTests(string name)
{
    /// <summary>Measured, in units of the largest value: 1.8e-6.</summary>
    private const double Tolerance = 4e-6;

    private readonly Op _op = CommonOps.All.Single(op => op.Name == name);

    private string[] Optional => name == "rms_norm" ? ["weight", "residual"] : ["weight", "bias", "residual"];

    [Test]
    public void Kernel_AnyRowsAndDim_EqualsFloat64(
        [Values(0, 1, 17, 65, 513)] int length, [Values(1, 7, 16, 33, 128, 200)] int dim, [Values(0, 1, 3)] int batch, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(batch, length, dim, everything ? Optional : []);
        Check(inputs, Cotangents(inputs), inputs.Keys);
    }

    [Test]
    public void Kernel_AnyOptionalArguments_EqualsFloat64([Range(0, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 37, Optional.Where((_, i) => (subset >> i & 1) == 1));
        Check(inputs, Cotangents(inputs), inputs.Keys);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 15)] int subset, [Values("y", "sum", "none")] string without)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 37, Optional);
        var cotangents = Cotangents(inputs);
        cotangents.Remove(without);
        if (without == "y")
            subset |= 1;        // the sum depends on x and the residual alone, and autograd refuses where nothing is wanted of it
        Check(inputs, cotangents, [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCase(1e-18f), TestCase(1e-3f), TestCase(1e15f), TestCase(0f)]
    public void Kernel_SmallAndLargeRows_EqualsFloat64(float size)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 37, Optional);
        inputs["x"].mul_(size);
        inputs["residual"].mul_(size);
        inputs["x"][0, 0].zero_();
        Check(inputs, Cotangents(inputs), inputs.Keys, size == 1e-18f ? 0 : NormSizes.Epsilon(OpOptions.None));
    }

    [Test]
    public void Kernel_LargeMean_LosesNoMoreThanTheInputDid()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 256, ["weight"]);
        inputs["x"].add_(100);
        var exact = Entry(inputs, Cotangents(inputs), inputs.Keys, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Kernel(inputs, Cotangents(inputs), inputs.Keys, 1e-5), exact);
        Assert.That(worst, Is.LessThan(4e-5), what);   // numbers near 100 have steps of 7.6e-6
    }

    [Test]
    public void Invoke_StridedInputs_EqualsFloat64([Values("cpu", "reference")] string kernels, [Values] bool residual)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var inputs = Inputs(5, 3, 19, Optional);
        inputs["x"] = randn(3, 5, 40).transpose(0, 1).narrow(2, 3, 19);
        inputs["residual"] = randn(19, 3, 5).permute(2, 1, 0);
        if (!residual)
            inputs.Remove("residual");
        var cotangents = Cotangents(inputs);
        var actual = Entry(inputs, cotangents, inputs.Keys, kernels, ScalarType.Float32);
        var (worst, what) = KernelRun.Difference(actual, Entry(inputs, cotangents, inputs.Keys, "reference", ScalarType.Float64));
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Kernel_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(3, 700, 65, Optional);
        var cotangents = Cotangents(inputs);
        var one = Kernel(inputs, cotangents, inputs.Keys, 1e-5);
        try
        {
            WorkShare.Threads = 2;
            var two = Kernel(inputs, cotangents, inputs.Keys, 1e-5);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [Test]
    public void Invoke_WrongArguments_SaysWhat()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => _op.Invoke(new() { ["x"] = ones(2, 3, 4), ["weight"] = ones(5) }, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo($"{name}: 'weight' is [5] but must be [D 4]."));
        Assert.That(() => _op.Invoke(new() { ["x"] = ones(2, 3, 0) }, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo($"{name}: 'x' is [2, 3, 0]; the axis to normalise must not be empty."));
        Assert.That(() => _op.Invoke(new() { ["x"] = ones(2, 3, 4) }, Epsilon(-1), KernelChoice.Auto),
            Throws.TypeOf<UserException>().With.Message.EqualTo($"{name}: 'eps' is -1; it must be at least 0."));
    }

    [TestCase(new long[] { 4 }), TestCase(new long[] { 3, 4 }), TestCase(new long[] { 2, 3, 4 }), TestCase(new long[] { 2, 1, 3, 4 })]
    public void Apply_AnyLeadingAxes_KeepsThem(long[] shape)
    {
        using var scope = NewDisposeScope();
        var x = randn(shape).requires_grad_();
        var residual = randn(shape);
        var y = name == "rms_norm" ? RmsNorm.Apply(x, null) : LayerNorm.Apply(x, null, null);
        var (ofSum, sum) = name == "rms_norm" ? RmsNorm.ApplyToSum(x, residual, ones(4)) : LayerNorm.ApplyToSum(x, residual, ones(4), zeros(4));
        Assert.That(new[] { y.shape, ofSum.shape, sum.shape }, Is.All.EqualTo(shape));
        Assert.That(sum.allclose(x + residual), Is.True);
        Gradients.Backward(y.sum() + ofSum.sum() + sum.sum());
        Assert.That(x.grad!.shape, Is.EqualTo(shape));
    }

    [Test]
    public void Apply_ResidualOfAnotherShape_IsRefused()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => name == "rms_norm" ? RmsNorm.ApplyToSum(ones(2, 4), ones(4, 2), null) : LayerNorm.ApplyToSum(ones(2, 4), ones(4, 2), null, null),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo($"{name}: 'residual' is [4, 2] but must be [2, 4], as 'x' is."));
    }

    private static OpOptions Epsilon(double eps) => new(new() { ["eps"] = eps });

    private static NamedTensors Inputs(long batch, long length, long dim, IEnumerable<string> optional)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["x"] = randn(batch, length, dim) };
        foreach (var argument in optional)
            inputs[argument] = argument == "residual" ? randn(batch, length, dim) : randn(dim);
        return inputs;
    }

    private static NamedTensors Cotangents(NamedTensors inputs)
    {
        manual_seed(3);
        var cotangents = new NamedTensors { ["y"] = randn(inputs["x"].shape) };
        if (inputs.ContainsKey("residual"))
            cotangents["sum"] = randn(inputs["x"].shape);
        return cotangents;
    }

    private NamedTensors Kernel(NamedTensors inputs, NamedTensors cotangents, IEnumerable<string> wanted, double eps) =>
        KernelRun.Kernel(_op, inputs, Epsilon(eps), Cotangents(inputs), cotangents, wanted);

    private NamedTensors Entry(NamedTensors inputs, NamedTensors cotangents, IReadOnlyCollection<string> wanted, string kernels, ScalarType dtype, double eps = 1e-5) =>
        KernelRun.Entry(_op, inputs, Epsilon(eps), cotangents, wanted, kernels, dtype);

    private void Check(NamedTensors inputs, NamedTensors cotangents, IReadOnlyCollection<string> wanted, double eps = 1e-5)
    {
        var exact = Entry(inputs, cotangents, wanted, "reference", ScalarType.Float64, eps);
        var (worst, what) = KernelRun.Difference(Kernel(inputs, cotangents, wanted, eps), exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
