using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MinRnn.Ops;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.MinRnn;

/// <summary>The cpu kernels of every scan against the references in float64.</summary>
public sealed class ScanOpTests
{
    /// <summary>Measured, in units of the largest value: 7.4e-7.</summary>
    private const double Tolerance = 1.5e-6;

    /// <summary>Gradients of λ sum over all steps, and of one dimension the terms may nearly cancel; measured 2.3e-6.</summary>
    private const double LruTolerance = 4.5e-6;

    private static readonly OpOptions Plain = new(new JsonObject { ["activation"] = "identity" });

    private static readonly Dictionary<string, (Op Op, OpOptions Options, string[] Required, string? Initial)> Cases = new()
    {
        ["mingru"] = (MinGruOp.Instance, OpOptions.None, ["hidden", "gate"], "h0"),
        ["mingru, plain"] = (MinGruOp.Instance, Plain, ["hidden", "gate"], "h0"),
        ["minlstm"] = (MinLstmOp.Instance, OpOptions.None, ["hidden", "f_gate", "i_gate"], "h0"),
        ["minlstm, plain"] = (MinLstmOp.Instance, Plain, ["hidden", "f_gate", "i_gate"], "h0"),
        ["forget_mult"] = (ForgetMultOp.Instance, OpOptions.None, ["f", "x"], "hidden_init"),
        ["qrnn, f-pooling"] = (QrnnPoolOp.Instance, OpOptions.None, ["z", "f"], "hidden"),
        ["qrnn, fo-pooling"] = (QrnnPoolOp.Instance, OpOptions.None, ["z", "f", "o"], "hidden"),
        ["lru_scan"] = (LruScanOp.Instance, OpOptions.None, ["x", "lambda"], "h0"),
    };

    private static IEnumerable<string> Names => Cases.Keys;

    [Test]
    public void Kernel_AnyLengthAndDim_EqualsFloat64(
        [ValueSource(nameof(Names))] string name, [Values(0, 1, 17, 64, 65, 513)] int length, [Values(1, 16, 33)] int dim,
        [Values] bool initial, [Values(0, 3)] int batch)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, batch, length, dim, initial);
        Check(name, inputs, Cotangents(name, inputs), [.. inputs.Keys]);
    }

    [TestCase(-200f), TestCase(-90f), TestCase(-45f), TestCase(0f), TestCase(45f), TestCase(90f), TestCase(200f)]
    public void Kernel_ExtremeGates_EqualsFloat64(float gate)
    {
        using var scope = NewDisposeScope();
        foreach (var name in Names.Where(n => n is not ("forget_mult" or "lru_scan")))
        {
            var inputs = Inputs(name, 2, 65, 20, initial: true);
            foreach (var argument in Cases[name].Required.Skip(1))
                inputs[argument].slice(1, 0, inputs[argument].size(1), 2).fill_(gate);
            Check(name, inputs, Cotangents(name, inputs), [.. inputs.Keys]);
            inputs[Cases[name].Required[^1]].fill_(-gate);
            Check(name, inputs, Cotangents(name, inputs), [.. inputs.Keys]);
        }
    }

    [Test]
    public void MinLstm_BothGatesFarBelowZero_QuotientIsThatOfThePowers()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs("minlstm", 1, 3, 16, initial: true);
        inputs["f_gate"].fill_(-150);
        inputs["i_gate"].fill_(-152);
        inputs["h0"].fill_(1);
        var h = MinLstmOp.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("cpu")).Outputs["h"];
        var kept = 1 / (1 + Math.Exp(-2));
        var value = inputs["hidden"][0, 0, 0].item<float>() is var x && x >= 0 ? x + 0.5 : 1 / (1 + Math.Exp(-x));
        Assert.That(h[0, 0, 0].item<float>(), Is.EqualTo(kept + (1 - kept) * value).Within(1e-6));
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([ValueSource(nameof(Names))] string name, [Range(0, 15)] int subset)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 2, 9, 21, initial: true);
        string[] wanted = [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)];
        foreach (var output in Cases[name].Op.Outputs)
        {
            var cotangents = Cotangents(name, inputs);
            if (cotangents.Count > 1)
                cotangents.Remove(output);
            if (output == "h" && wanted is ["o"])
                continue;   // the final state does not depend on the output gate
            Check(name, inputs, cotangents, wanted);
        }
    }

    [Test]
    public void Invoke_StridedInputs_EqualsFloat64([ValueSource(nameof(Names))] string name, [Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 3, 5, 19, initial: true);
        foreach (var key in inputs.Keys.ToList())
            inputs[key] = inputs[key].transpose(0, -1).contiguous().transpose(0, -1);
        var cotangents = Cotangents(name, inputs);
        var (op, options, _, _) = Cases[name];
        var actual = KernelRun.Entry(op, inputs, options, cotangents, [.. inputs.Keys], kernels, ScalarType.Float32);
        var exact = KernelRun.Entry(op, inputs, options, cotangents, [.. inputs.Keys], "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(name == "lru_scan" ? LruTolerance : Tolerance), what);
    }

    [Test]
    public void Invoke_TwoThreads_SameBits([ValueSource(nameof(Names))] string name)
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var inputs = Inputs(name, 3, 130, 300, initial: true);
            var cotangents = Cotangents(name, inputs);
            WorkShare.Threads = 1;
            var one = Run(name, inputs, cotangents, inputs.Keys);
            WorkShare.Threads = 2;
            var two = Run(name, inputs, cotangents, inputs.Keys);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Kernel_65536Steps_StaysFiniteAndEqualsFloat64([Values("mingru", "minlstm", "qrnn, fo-pooling", "lru_scan")] string name)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 1, 65_536, 8, initial: true);
        var (op, options, _, _) = Cases[name];
        var h = op.Invoke(inputs, options, KernelChoice.Parse("cpu")).Outputs["h"];
        var exact = op.Invoke(new(inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64)))), options,
            KernelChoice.Parse("reference")).Outputs["h"];
        Assert.That(h.isfinite().all().item<bool>(), Is.True);
        var worst = (h.to(ScalarType.Float64) - exact).abs().max().item<double>() / Math.Max(1, exact.abs().max().item<double>());
        Assert.That(worst, Is.LessThan(Tolerance));
    }

    [Test]
    public void Kernel_StatesDecay_NoneIsDenormal()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs("mingru, plain", 1, 300, 20, initial: true);
        inputs["gate"].zero_();
        inputs["hidden"].zero_();
        var h = MinGruOp.Instance.Invoke(inputs, Plain, KernelChoice.Parse("cpu")).Outputs["h"];
        Assert.That(((h.abs() > 0) & (h.abs() < 1.17549435e-38f)).any().item<bool>(), Is.False);
        Assert.That(h.select(1, 50).ne(0).all().item<bool>(), Is.True);
    }

    [Test]
    public void MinGru_LogSpaceScanAndLoop_EqualTheDefinition([Values] bool initial)
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "mingru", "minlstm" })
        {
            var op = Cases[name].Op;
            var inputs = new NamedTensors(Inputs(name, 2, 40, 5, initial).Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64))));
            if (initial)
                inputs["h0"].abs_().add_(0.1);
            var expected = op.Invoke(inputs, OpOptions.None, KernelChoice.Parse("reference")).Outputs["h"];
            foreach (var baseline in op.Baselines)
                TensorAssert.Close(baseline.Run(inputs, OpOptions.None)["h"], expected, 1e-9, 1e-9, $"{name}, {baseline.Name}");
        }
    }

    [Test]
    public void Invoke_UnknownActivationOrShape_IsASentence()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs("mingru", 2, 3, 4, initial: false);
        var options = new OpOptions(new JsonObject { ["activation"] = "relu" });
        Assert.That(() => MinGruOp.Instance.Invoke(inputs, options, KernelChoice.Auto), Throws.TypeOf<UserException>()
            .With.Message.EqualTo("mingru: 'activation' is 'relu'; it must be g or identity."));
        inputs["gate"] = zeros(2, 3, 5);
        Assert.That(() => MinGruOp.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Auto), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("mingru: 'gate' is [2, 3, 5] but must be [B 2, L 3, D 4]."));
    }

    [Test]
    public void Lru_CpuScanAndState_EqualsFloat64AndItself()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var sizes = new Dictionary<string, long> { ["B"] = 2, ["L"] = 30, ["D"] = 5, ["N"] = 7 };
        var inputs = new NamedTensors(LruOp.Instance.Arguments.Where(a => !a.Optional).Select(a =>
            KeyValuePair.Create(a.Name, LruOp.Instance.Sample(a, [.. a.Axes.Select(x => sizes[x])]))));
        var cotangents = new NamedTensors { ["y"] = randn(2, 30, 5), ["h_last_re"] = randn(2, 7), ["h_last_im"] = randn(2, 7) };
        var actual = KernelRun.Entry(LruOp.Instance, inputs, OpOptions.None, cotangents, [.. inputs.Keys], "cpu", ScalarType.Float32);
        var exact = KernelRun.Entry(LruOp.Instance, inputs, OpOptions.None, cotangents, [.. inputs.Keys], "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(LruTolerance), what);

        NamedTensors Half(long start, NamedTensors? before)
        {
            var part = new NamedTensors(inputs) { ["u"] = inputs["u"].narrow(1, start, 15) };
            if (before is not null)
                (part["h0_re"], part["h0_im"]) = (before["h_last_re"], before["h_last_im"]);
            return LruOp.Instance.Invoke(part, OpOptions.None, KernelChoice.Auto).Outputs;
        }
        var first = Half(0, null);
        var both = cat([first["y"], Half(15, first)["y"]], 1);
        TensorAssert.Close(both, actual["y"], 1e-5, 1e-5, "two halves");
        var incomplete = new NamedTensors(inputs) { ["h0_re"] = zeros(2, 7) };
        Assert.That(() => LruOp.Instance.Invoke(incomplete, OpOptions.None, KernelChoice.Auto), Throws.TypeOf<ShapeException>());
    }

    private static NamedTensors Inputs(string name, long batch, long length, long dim, bool initial)
    {
        manual_seed(1);
        var (op, _, required, state) = Cases[name];
        var sizes = new Dictionary<string, long> { ["B"] = batch, ["L"] = length, ["D"] = dim, ["N"] = dim, ["1"] = 1, ["2"] = 2 };
        return new(op.Arguments.Where(a => required.Contains(a.Name) || (initial && a.Name == state))
            .Select(a => KeyValuePair.Create(a.Name, op.Sample(a, [.. a.Axes.Select(x => sizes[x])]).contiguous())));
    }

    private static NamedTensors Outputs(string name, NamedTensors inputs)
    {
        using var noGrad = no_grad();
        return Cases[name].Op.Invoke(inputs, Cases[name].Options, KernelChoice.Parse("reference")).Outputs;
    }

    private static NamedTensors Cotangents(string name, NamedTensors inputs) =>
        new(Outputs(name, inputs).Select(o => KeyValuePair.Create(o.Key, randn(o.Value.shape))));

    private static NamedTensors Run(string name, NamedTensors inputs, NamedTensors cotangents, IEnumerable<string> wanted) =>
        KernelRun.Kernel(Cases[name].Op, inputs, Cases[name].Options, Outputs(name, inputs), cotangents, wanted);

    private static void Check(string name, NamedTensors inputs, NamedTensors cotangents, IReadOnlyCollection<string> wanted)
    {
        var (op, options, _, _) = Cases[name];
        var exact = KernelRun.Entry(op, inputs, options, cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Run(name, inputs, cotangents, wanted), exact);
        Assert.That(worst, Is.LessThan(name == "lru_scan" ? LruTolerance : Tolerance), $"{name}: {what}");
    }
}
