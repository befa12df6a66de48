using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class LinearScanTests
{
    /// <summary>Measured, in units of the largest value: 4.9e-7.</summary>
    private const double Tolerance = 1e-6;

    private static readonly string[] All = ["a", "b", "h0"];

    [Test]
    public void Kernel_AnyLengthAndDim_EqualsFloat64(
        [Values(0, 1, 2, 17, 64, 65, 513)] int length, [Values(1, 7, 16, 33)] int dim, [Values] bool initial, [Values(0, 1, 3)] int batch)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(batch, length, dim, initial);
        Check(inputs, Cotangents(inputs));
    }

    [TestCase(1f), TestCase(0f), TestCase(0.5f), TestCase(1e-30f), TestCase(-1f)]
    public void Kernel_ExtremeDecay_EqualsFloat64(float decay)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 300, 20, initial: true);
        inputs["a"].fill_(decay);
        inputs["b"].slice(1, 10, 300, 1).zero_();   // half a 300 times over ends far below the normal range
        Check(inputs, Cotangents(inputs));
    }

    [Test]
    public void Kernel_StatesDecay_NoneIsDenormal()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 300, 20, initial: true);
        inputs["a"].fill_(0.5f);
        inputs["b"].zero_();
        var h = Run(inputs, [], [])["h"];
        Assert.That(((h.abs() > 0) & (h.abs() < 1.17549435e-38f)).any().item<bool>(), Is.False);
        Assert.That(h.select(1, 50).ne(0).all().item<bool>(), Is.True);
    }

    [Test]
    public void Kernel_NaN_StaysInItsDimension()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 5, 20, initial: false);
        inputs["b"][0, 2, 3] = float.NaN;
        var nan = Run(inputs, [], [])["h"].isnan();
        Assert.That(nan.sum().item<long>(), Is.EqualTo(3));
        Assert.That(nan[0, 4, 3].item<bool>(), Is.True);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 7)] int subset, [Values("h", "last_state")] string output)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 9, 21, initial: true);
        var cotangents = Cotangents(inputs);
        cotangents.Remove(output);
        Check(inputs, cotangents, [.. All.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [Test]
    public void Invoke_StridedAndOffsetInputs_EqualsFloat64([Values("cpu", "reference")] string kernels, [Range(0, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var inputs = new NamedTensors
        {
            ["a"] = rand(5, 3, 40).transpose(0, 1).narrow(2, 3, 19),
            ["b"] = randn(19, 5, 3).permute(2, 1, 0),
            ["h0"] = randn(4, 3, 19)[2],
        };
        var wanted = All.Where((_, i) => (subset >> i & 1) == 1).ToList();
        var cotangents = Cotangents(inputs);
        var actual = KernelRun.Entry(LinearScan.Instance, inputs, OpOptions.None, cotangents, wanted, kernels, ScalarType.Float32);
        var exact = KernelRun.Entry(LinearScan.Instance, inputs, OpOptions.None, cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Invoke_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            foreach (var (batch, dim) in new[] { (1, 300), (3, 1100) })
            {
                var inputs = Inputs(batch, 130, dim, initial: true);
                var cotangents = Cotangents(inputs);
                WorkShare.Threads = 1;
                var one = Run(inputs, cotangents, All);
                WorkShare.Threads = 2;
                var two = Run(inputs, cotangents, All);
                foreach (var name in one.Keys)
                    Assert.That(two[name].Equals(one[name]), Is.True, name);
            }
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Apply_NoGrad_StatesAndTheLastOne()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var inputs = Inputs(2, 6, 5, initial: true);
        var (states, last) = LinearScan.Apply(decay: inputs["a"].requires_grad_(), input: inputs["b"], inputs["h0"]);
        Assert.That(states.requires_grad, Is.False);
        Assert.That(last.Equals(states.select(1, 5)), Is.True);
        Assert.That(() => LinearScan.Apply(inputs["a"], inputs["h0"]), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("linear_scan: 'b' is [2, 5] but must be [B 2, L 6, D 5]."));
    }

    [Test]
    public void Invoke_TenThousandCallsAndAThousandRefusals_NothingGrows()
    {
        using var outer = NewDisposeScope();
        var inputs = Inputs(2, 16, 32, initial: true);
        foreach (var input in inputs.Values)
            input.requires_grad_();
        var wrong = zeros(2, 16, 31);
        void Run(int calls)
        {
            for (var i = 0; i < calls; i++)
            {
                using var scope = NewDisposeScope();
                var (states, last) = LinearScan.Apply(inputs["a"], inputs["b"], inputs["h0"]);
                Gradients.Backward(states.sum() + last.sum());
                foreach (var input in inputs.Values)
                    input.grad = null;
                if (i % 10 == 0)
                    Assert.That(() => LinearScan.Apply(inputs["a"], wrong), Throws.TypeOf<ShapeException>());
            }
        }
        Run(3000);   // until code is compiled for good and the heaps have their sizes
        var before = LiveObjects.Now();
        Run(10_000);
        var after = LiveObjects.Now();
        var (managed, native) = ((after.ManagedBytes - before.ManagedBytes) / 1024, (after.NativeBytes - before.NativeBytes) / 1024);
        TestContext.Out.WriteLine($"tensors {before.Tensors} to {after.Tensors}, nodes {before.Nodes} to {after.Nodes}, " +
            $"managed memory {managed:+#;-#;0} KB, native {native:+#;-#;0} KB");
        Assert.That(after.Tensors, Is.LessThanOrEqualTo(before.Tensors), "finalisers of earlier tests may free some");
        Assert.That(after.Nodes, Is.LessThanOrEqualTo(before.Nodes));
        // A tensor of 4 KB that a call forgot would be 40 MB; an object of 100 bytes, 1 MB.
        Assert.That(managed, Is.LessThan(1024));
        Assert.That(native, Is.LessThan(10 * 1024), "measured: up to 5 MB");
    }

    /// <summary>Least time of a forward and backward whose states decay to nothing, over that of usual numbers.</summary>
    [Test, Explicit("Measures time: for a quiet machine.")]
    public void Kernel_StatesDecayToNothing_TakesNoLonger()
    {
        using var scope = NewDisposeScope();
        var usual = Inputs(8, 512, 512, initial: true);
        var decaying = new NamedTensors { ["a"] = full_like(usual["a"], 0.5f), ["b"] = zeros_like(usual["b"]), ["h0"] = usual["h0"] };
        double[] least = [double.PositiveInfinity, double.PositiveInfinity];
        for (var round = 0; round < 40; round++)
        {
            for (var i = 0; i < 2; i++)
            {
                using var inner = NewDisposeScope();
                var leaves = new NamedTensors((i == 0 ? usual : decaying).Select(t => KeyValuePair.Create(t.Key, t.Value.detach().requires_grad_())));
                var start = System.Diagnostics.Stopwatch.GetTimestamp();
                var (states, _) = LinearScan.Apply(leaves["a"], leaves["b"], leaves["h0"]);
                Gradients.Backward(states.select(1, 511).sum());   // what flows back decays, too
                least[i] = Math.Min(least[i], System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }
        TestContext.Out.WriteLine($"usual {least[0]:F2} ms, decaying {least[1]:F2} ms: {least[1] / least[0]:F2} times");
        Assert.That(least[1], Is.LessThan(1.2 * least[0]));
    }

    private static NamedTensors Inputs(long batch, long length, long dim, bool initial)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["a"] = rand(batch, length, dim), ["b"] = randn(batch, length, dim) };
        if (initial)
            inputs["h0"] = randn(batch, dim);
        return inputs;
    }

    private static NamedTensors Cotangents(NamedTensors inputs) =>
        new() { ["h"] = randn(inputs["a"].shape), ["last_state"] = randn(inputs["a"].size(0), inputs["a"].size(2)) };

    private static NamedTensors Run(NamedTensors inputs, NamedTensors cotangents, IEnumerable<string> wanted) =>
        KernelRun.Kernel(LinearScan.Instance, inputs, OpOptions.None, Cotangents(inputs), cotangents, wanted);

    private static void Check(NamedTensors inputs, NamedTensors cotangents, IReadOnlyCollection<string>? wanted = null)
    {
        wanted ??= [.. inputs.Keys];
        var exact = KernelRun.Entry(LinearScan.Instance, inputs, OpOptions.None, cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Run(inputs, cotangents, wanted), exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
