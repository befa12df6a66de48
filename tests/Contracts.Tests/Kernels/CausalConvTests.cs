using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class CausalConvTests
{
    /// <summary>Measured, in units of the largest value: 1.53e-6.</summary>
    private const double Tolerance = 3e-6;

    /// <summary>The weight's gradient is then a sum of 1,026 products that nearly cancel. Measured: 1.05e-5.</summary>
    private const double LongTolerance = 2.1e-5;

    [Test]
    public void Kernel_AnyLengthDimAndWidth_EqualsFloat64(
        [Values(0, 1, 2, 3, 17, 64, 513)] int length, [Values(1, 16, 35, 150)] int dim, [Values(1, 3, 4, 7)] int width, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, length, dim, width, everything ? ["bias", "initial"] : []), silu: everything);
    }

    [Test]
    public void Kernel_AnyOptionalArguments_EqualsFloat64([Range(0, 3)] int subset, [Values] bool silu, [Values(0, 3)] int batch)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, 9, 21, 4, [.. new[] { "bias", "initial" }.Where((_, i) => (subset >> i & 1) == 1)]), silu);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 15)] int subset, [Values("y", "last")] string output)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 6, 19, 4, ["bias", "initial"]);
        var cotangents = Cotangents(inputs);
        cotangents.Remove(output);
        var wanted = inputs.Keys.Where((name, i) => (subset >> i & 1) == 1 && (output == "last" || name is "x" or "initial")).ToList();
        Check(inputs, silu: true, cotangents, wanted);
    }

    [Test]
    public void Apply_InPieces_EqualsTheWhole([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 23, 20, 4, ["bias"]);
        var (whole, last) = CausalConv.Apply(inputs["x"], inputs["weight"], inputs["bias"], silu: true, kernels: KernelChoice.Parse(kernels));
        var pieces = new List<Tensor>();
        Tensor? state = null;
        foreach (var (first, count) in new[] { (0, 1), (1, 2), (3, 1), (4, 19) })
        {
            (var y, state) = CausalConv.Apply(
                inputs["x"].narrow(1, first, count), inputs["weight"], inputs["bias"], silu: true, state, KernelChoice.Parse(kernels));
            pieces.Add(y);
        }
        Assert.That(cat(pieces, dim: 1).allclose(whole, 0, 1e-7), Is.True);
        Assert.That(state!.Equals(last), Is.True);
    }

    [Test]
    public void Baselines_Libtorch_EqualsTheReference()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 5, 3, ["bias", "initial"]);
        var (worst, what) = KernelRun.Difference(
            CausalConv.Instance.Baselines.Single().Run(inputs, Silu(true)), CausalConv.Instance.Invoke(inputs, Silu(true), KernelChoice.Parse("reference")).Outputs);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Invoke_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var inputs = Inputs(3, 130, 300, 4, ["bias", "initial"]);
            var cotangents = Cotangents(inputs);
            WorkShare.Threads = 1;
            var one = Run(inputs, true, cotangents, inputs.Keys);
            WorkShare.Threads = 2;
            var two = Run(inputs, true, cotangents, inputs.Keys);
            foreach (var name in one.Keys)
                Assert.That(two[name].Equals(one[name]), Is.True, name);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Apply_Misshaped_NamesTheArgument()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => CausalConv.Apply(zeros(2, 5, 4), zeros(3, 4), null, false), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("causal_conv1d: 'weight' is [3, 4] but must be [D 4, K]."));
        Assert.That(() => CausalConv.Apply(zeros(2, 5, 4), zeros(4, 3), null, false, zeros(2, 2, 4)), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("causal_conv1d: 'initial' is [2, 2, 4] but must be [B 2, K 3, D 4]."));
    }

    private static OpOptions Silu(bool on) => new(new JsonObject { ["silu"] = on });

    private static NamedTensors Inputs(long batch, long length, long dim, long width, IReadOnlyCollection<string> optional)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["x"] = randn(batch, length, dim), ["weight"] = randn(dim, width) };
        var given = new NamedTensors { ["bias"] = randn(dim), ["initial"] = randn(batch, width, dim) };
        foreach (var name in optional)
            inputs[name] = given[name];
        return inputs;
    }

    private static long[] LastShape(NamedTensors inputs) => [inputs["x"].size(0), inputs["weight"].size(1), inputs["x"].size(2)];

    private static NamedTensors Cotangents(NamedTensors inputs) => new() { ["y"] = randn(inputs["x"].shape), ["last"] = randn(LastShape(inputs)) };

    private static NamedTensors Run(NamedTensors inputs, bool silu, NamedTensors cotangents, IEnumerable<string> wanted) => KernelRun.Kernel(
        CausalConv.Instance, inputs, Silu(silu), new() { ["y"] = empty(inputs["x"].shape), ["last"] = empty(LastShape(inputs)) }, cotangents, wanted);

    private static void Check(NamedTensors inputs, bool silu, NamedTensors? cotangents = null, IReadOnlyCollection<string>? wanted = null)
    {
        cotangents ??= Cotangents(inputs);
        wanted ??= [.. inputs.Keys];
        var exact = KernelRun.Entry(CausalConv.Instance, inputs, Silu(silu), cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Run(inputs, silu, cotangents, wanted), exact);
        TestContext.Out.WriteLine($"{worst:e2} {what}");
        Assert.That(worst, Is.LessThan(inputs["x"].size(1) > 100 ? LongTolerance : Tolerance), what);
    }
}
