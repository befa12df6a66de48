using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class AttentionTests
{
    private const double Tolerance = 4e-6;

    private static readonly string[] All = ["q", "k", "v"];

    [Test]
    public void Kernel_AnyLengthAndDim_EqualsFloat64(
        [Values(0, 1, 2, 17, 48, 49, 64, 65, 300)] int length, [Values(1, 8, 20, 32, 48)] int dim, [Values(1, 3)] int batch, [Values] bool causal)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, length, length, 2, 2, dim), causal);
    }

    [Test]
    public void Kernel_513_EqualsFloat64()
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 513, 513, 2, 1, 32), causal: true);
    }

    [Test]
    public void Kernel_MoreKeysThanQueries_EqualsFloat64([Values(1, 5, 33)] int queries, [Values(0, 1, 31, 300)] int before, [Values] bool causal)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, queries, before + queries, 4, 2, 16), causal);
    }

    [TestCase(4, 4), TestCase(4, 2), TestCase(4, 1), TestCase(6, 2)]
    public void Kernel_GroupedHeads_EqualsFloat64(int heads, int keyHeads)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 40, 40, heads, keyHeads, 16), causal: true);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(1, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 37, 37, 4, 2, 16), causal: true, [.. All.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    // Scores of size 100 have steps of 7.6e-6.
    [TestCase(0f, 4e-6), TestCase(30f, 8e-5)]
    public void Kernel_ExtremeScores_EqualsFloat64(float size, double tolerance)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 65, 65, 2, 2, 16);
        inputs["q"].mul_(size);
        Check(inputs, causal: true, tolerance: tolerance);
    }

    /// <summary>The largest score of a query is found block by block: at the last key each time, at the first, or lost in between.</summary>
    [Test]
    public void Kernel_ScoresRiseOrFallAlongKeys_EqualsFloat64([Values(-8f, 8f)] float slope, [Values] bool causal)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 150, 150, 2, 2, 16);
        inputs["q"].narrow(3, 0, 1).fill_(1);
        inputs["k"].narrow(3, 0, 1).copy_((arange(150) * slope).reshape(1, 150, 1, 1));
        Check(inputs, causal, tolerance: 8e-5);     // scores of size 300
    }

    [Test]
    public void Kernel_NegativeScale_EqualsFloat64()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 70, 70, 2, 2, 16);
        var options = new OpOptions(new() { ["scale"] = -0.7 });
        var exact = KernelRun.Entry(Attention.Instance, inputs, options, Cotangents(inputs), All, "reference", ScalarType.Float64);
        var actual = KernelRun.Kernel(Attention.Instance, inputs, options, new() { ["y"] = inputs["q"] }, Cotangents(inputs), All);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Invoke_StridedInputs_EqualsFloat64([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var parts = randn([2, 19, 3, 4, 8]).unbind(2);
        var inputs = new NamedTensors { ["q"] = parts[0], ["k"] = parts[1], ["v"] = randn(2, 4, 19, 8).transpose(1, 2) };
        var cotangents = new NamedTensors { ["y"] = randn(2, 19, 4, 8) };
        var actual = KernelRun.Entry(Attention.Instance, inputs, OpOptions.None, cotangents, All, kernels, ScalarType.Float32);
        var exact = KernelRun.Entry(Attention.Instance, inputs, OpOptions.None, cotangents, All, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Apply_FirstQuery_IsTheFirstValue()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 5, 5, 2, 2, 8);
        Assert.That(Attention.Apply(inputs["q"], inputs["k"], inputs["v"]).select(1, 0).allclose(inputs["v"].select(1, 0)), Is.True);
    }

    [Test]
    public void Apply_Scale_IsLibtorchs()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 33, 33, 2, 2, 8);
        var y = Attention.Apply(inputs["q"], inputs["k"], inputs["v"]);
        var theirs = nn.functional.scaled_dot_product_attention(
            inputs["q"].transpose(1, 2), inputs["k"].transpose(1, 2), inputs["v"].transpose(1, 2), is_casual: true).transpose(1, 2);
        Assert.That(y.allclose(theirs, rtol: 1e-5, atol: 1e-6), Is.True);
        var scaled = Attention.Instance.Invoke(inputs, new OpOptions(new() { ["scale"] = 0 }), KernelChoice.Auto).Outputs["y"];
        Assert.That(scaled[0, 32].allclose(inputs["v"][0].mean([0])), Is.True, "with no scores at all, the mean of the values");
    }

    [Test]
    public void Kernel_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 300, 300, 4, 2, 16);
        var one = Run(inputs, causal: true, All);
        try
        {
            WorkShare.Threads = 2;
            var two = Run(inputs, causal: true, All);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [Test]
    public void Apply_WrongShapes_SaysWhat()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => Attention.Apply(ones(1, 2, 3, 4), ones(1, 2, 2, 4), ones(1, 2, 2, 4)), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("attention: 'q' has 3 heads and 'k' 2; the first must be a multiple of the second."));
        Assert.That(() => Attention.Apply(ones(1, 3, 2, 4), ones(1, 2, 2, 4), ones(1, 2, 2, 4)), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("attention: there are 3 queries and 2 keys; causal attention needs a key at each query's place."));
    }

    private static NamedTensors Inputs(long batch, long queries, long keys, long heads, long keyHeads, long dim)
    {
        manual_seed(1);
        return new()
        {
            ["q"] = randn(batch, queries, heads, dim),
            ["k"] = randn(batch, keys, keyHeads, dim),
            ["v"] = randn(batch, keys, keyHeads, dim),
        };
    }

    private static OpOptions Options(bool causal) => new(new() { ["causal"] = causal });

    private static NamedTensors Cotangents(NamedTensors inputs)
    {
        manual_seed(3);
        return new() { ["y"] = randn(inputs["q"].shape) };
    }

    private static NamedTensors Run(NamedTensors inputs, bool causal, IEnumerable<string> wanted) => KernelRun.Kernel(
        Attention.Instance, inputs, Options(causal), new() { ["y"] = inputs["q"] }, Cotangents(inputs), wanted);

    private static void Check(NamedTensors inputs, bool causal, IReadOnlyCollection<string>? wanted = null, double tolerance = Tolerance)
    {
        wanted ??= All;
        var exact = KernelRun.Entry(Attention.Instance, inputs, Options(causal), Cotangents(inputs), wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Run(inputs, causal, wanted), exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(tolerance), what);
    }
}
