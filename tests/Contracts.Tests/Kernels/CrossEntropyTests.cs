using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class CrossEntropyTests
{
    private const double Tolerance = 2e-6;

    [Test]
    public void Kernel_AnyRowsDimAndVocabulary_EqualsFloat64(
        [Values(1, 17, 64, 65, 513)] int rows, [Values(1, 16, 33)] int dim, [Values(1, 2, 65, 512, 513, 1100)] int vocabulary, [Values] bool bias)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(rows, dim, vocabulary, bias));
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(1, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        var wanted = new[] { "hidden", "weight", "bias" }.Where((_, i) => (subset >> i & 1) == 1).ToList();
        Check(Inputs(9, 5, 600, bias: true), wanted);
    }

    // Logits of size 100 and 30,000 have steps of 7.6e-6 and 2e-3; measured are 4.0e-6 and 1.7e-4.
    [TestCase(0f, 2e-6), TestCase(30f, 8e-6), TestCase(1e4f, 4e-4)]
    public void Kernel_ExtremeLogits_EqualsFloat64(float size, double tolerance)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(17, 8, 600, bias: true);
        inputs["hidden"].mul_(size);
        Check(inputs, tolerance: tolerance);
    }

    [Test]
    public void Kernel_EntriesOfBiasMinusInfinity_HaveNoShare()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(17, 8, 600, bias: true);
        inputs["targets"].fill_(590);
        inputs["bias"].slice(0, 0, 580, 1).fill_(float.NegativeInfinity);     // the whole first chunk
        Check(inputs);
    }

    [Test]
    public void Kernel_NaN_ReachesTheLoss()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(17, 8, 600, bias: false);
        inputs["hidden"][3, 2] = float.NaN;
        Assert.That(Kernel(inputs, [])["loss"].isnan().item<bool>(), Is.True);
    }

    [Test]
    public void Invoke_NoRows_NaN([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(0, 8, 5, bias: true);
        var result = KernelRun.Entry(CrossEntropy.Instance, inputs, OpOptions.None, new() { ["loss"] = ones([]) }, ["weight", "bias"], kernels, ScalarType.Float32);
        Assert.That(result["loss"].isnan().item<bool>(), Is.True);
        Assert.That(result["gradient of weight"].eq(0).all().item<bool>(), Is.True);
    }

    [Test]
    public void Invoke_StridedInputs_EqualsFloat64([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var inputs = new NamedTensors
        {
            ["hidden"] = randn(19, 40).t().narrow(1, 3, 13),
            ["weight"] = randn(13, 70).t(),
            ["targets"] = randint(70, [80], int64).slice(0, 0, 80, 2),
            ["bias"] = randn(3, 70)[1],
        };
        string[] wanted = ["hidden", "weight", "bias"];
        var cotangent = new NamedTensors { ["loss"] = tensor(0.7f) };
        var actual = KernelRun.Entry(CrossEntropy.Instance, inputs, OpOptions.None, cotangent, wanted, kernels, ScalarType.Float32);
        var (worst, what) = KernelRun.Difference(actual, Exact(inputs, wanted));
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Kernel_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(300, 33, 700, bias: true);
        string[] wanted = ["hidden", "weight", "bias"];
        var one = Kernel(inputs, wanted);
        try
        {
            WorkShare.Threads = 2;
            var two = Kernel(inputs, wanted);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [TestCase(-1L), TestCase(5L)]
    public void Apply_TargetOutsideTheVocabulary_IsRefused(long target)
    {
        using var scope = NewDisposeScope();
        Assert.That(() => CrossEntropy.Apply(ones(2, 3), ones(5, 3), tensor(new[] { 1, target })), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo($"cross_entropy: a target is {target}; with a vocabulary of 5 targets are 0 to 4."));
    }

    [Test]
    public void Apply_Loss_IsLibtorchs()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(40, 8, 65, bias: true);
        var logits = nn.functional.linear(inputs["hidden"], inputs["weight"], inputs["bias"]);
        var loss = CrossEntropy.Apply(inputs["hidden"], inputs["weight"], inputs["targets"], inputs["bias"]);
        Assert.That(loss.shape, Is.Empty);
        Assert.That(loss.item<float>(), Is.EqualTo(nn.functional.cross_entropy(logits, inputs["targets"]).item<float>()).Within(1e-6));
    }

    private static NamedTensors Inputs(long rows, long dim, long vocabulary, bool bias)
    {
        manual_seed(1);
        var inputs = new NamedTensors
        {
            ["hidden"] = randn(rows, dim),
            ["weight"] = randn(vocabulary, dim),
            ["targets"] = randint(vocabulary, [rows], int64),
        };
        if (bias)
            inputs["bias"] = randn(vocabulary);
        return inputs;
    }

    private static NamedTensors Kernel(NamedTensors inputs, IEnumerable<string> wanted) => KernelRun.Kernel(
        CrossEntropy.Instance, inputs, OpOptions.None, new() { ["loss"] = zeros([]) }, new() { ["loss"] = tensor(0.7f) }, wanted);

    /// <summary>In float64, the targets as they are.</summary>
    private static NamedTensors Exact(NamedTensors inputs, IReadOnlyCollection<string> wanted) => KernelRun.Entry(
        CrossEntropy.Instance, inputs, OpOptions.None, new() { ["loss"] = tensor(0.7f) }, wanted, "reference", ScalarType.Float64);

    private static void Check(NamedTensors inputs, IReadOnlyCollection<string>? wanted = null, double tolerance = Tolerance)
    {
        wanted ??= [.. inputs.Keys.Where(k => k != "targets")];
        var (worst, what) = KernelRun.Difference(Kernel(inputs, wanted), Exact(inputs, wanted));
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(tolerance), what);
    }
}
