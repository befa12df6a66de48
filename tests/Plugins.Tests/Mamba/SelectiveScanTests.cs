using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.Mamba.Ops.SelectiveScan;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

/// <summary>Both layouts against float64; sizes beside those of vectors (16), blocks (32), panels (64 channels) and chunks (32 steps).</summary>
public sealed class SelectiveScanTests
{
    /// <summary>Measured, in units of the largest value: 8e-7.</summary>
    private const double Tolerance = 1.6e-6;

    private static readonly string[] Optional = ["D", "z", "delta_bias", "initial_state"];

    private static readonly SelectiveScanOp[] Layouts = [SelectiveScan.Instance, SelectiveScanTokens.Instance];

    private static IEnumerable<TestCaseData> Everywhere =>
        from op in Layouts
        select new TestCaseData(op).SetArgDisplayNames(op.Name);

    private static IEnumerable<TestCaseData> Sizes =>
        from op in Layouts
        from size in new[]
        {
            new Size(2, 5, 3, 1), new Size(1, 33, 16, 17), new Size(3, 16, 1, 64), new Size(2, 70, 5, 65), new Size(1, 20, 16, 513),
            new Size(2, 64, 4, 31), new Size(2, 8, 4, 33, Groups: 2), new Size(1, 132, 2, 40, Groups: 2), new Size(0, 5, 3, 4), new Size(2, 5, 3, 0),
        }
        from everything in new[] { false, true }
        select new TestCaseData(op, size, everything).SetArgDisplayNames(op.Name, size.ToString(), everything ? "all" : "required");

    [TestCaseSource(nameof(Sizes))]
    public void Kernel_AnySize_EqualsFloat64(Op op, object size, bool everything)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(op, (Size)size, everything ? Optional : []);
        Check(op, inputs, softplus: everything);
    }

    [Test]
    public void Kernel_AnyOptionalArguments_EqualsFloat64([ValueSource(nameof(Layouts))] Op op, [Range(0, 15)] int subset, [Values] bool softplus)
    {
        using var scope = NewDisposeScope();
        Check(op, Inputs(op, new Size(2, 35, 3, 37), [.. Optional.Where((_, i) => (subset >> i & 1) == 1)]), softplus);
    }

    /// <summary>The original's [D, N] form of B and C: the same at all times.</summary>
    [TestCase("B")]
    [TestCase("C")]
    [TestCase("B", "C")]
    public void RunCase_ConstantBOrC_IsTheSameAtAllTimes(params string[] constant)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(SelectiveScan.Instance, new Size(2, 6, 4, 13), Optional);
        var repeated = new NamedTensors(inputs);
        foreach (var name in constant)
        {
            inputs[name] = randn(6, 4).requires_grad_();
            repeated[name] = inputs[name].detach().reshape(1, 6, 4, 1).expand(2, 6, 4, 13).clone().requires_grad_();
        }
        var y = SelectiveScan.Instance.RunCase(new OpCase(inputs, [], []), KernelChoice.Auto).Outputs["y"];
        var expected = SelectiveScan.Instance.Invoke(repeated, OpOptions.None, KernelChoice.Auto).Outputs["y"];
        Assert.That(y.equal(expected).all().item<bool>());
        Gradients.Backward(y.sum());
        Gradients.Backward(expected.sum());
        foreach (var name in constant)
            Assert.That((inputs[name].grad! - repeated[name].grad!.sum([0L, 3L])).abs().max().item<float>(), Is.LessThan(1e-5f), name);
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Kernel_OneOfBAndCIsGrouped_EqualsFloat64(Op op)
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "B", "C" })
        {
            var inputs = Inputs(op, new Size(2, 12, 3, 9, Groups: 3), Optional);
            inputs[name] = inputs[name].select(op == SelectiveScan.Instance ? 1 : 2, 0).contiguous();
            Check(op, inputs, softplus: true);
        }
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([ValueSource(nameof(Layouts))] Op op, [Values("y", "last_state")] string output)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(op, new Size(2, 21, 3, 35), Optional);
        var cotangents = Cotangents(inputs);
        cotangents.Remove(output);
        foreach (var name in inputs.Keys.Where(name => output == "last_state" || name is not ("C" or "D" or "z")))   // without y these change nothing
            Check(op, inputs, softplus: true, cotangents, [name]);
        Check(op, inputs, softplus: true, cotangents, ["u", "z", "A", "initial_state"]);
    }

    [TestCase(0f, 1f)]
    [TestCase(0f, 30f)]
    [TestCase(0f, 1e4f)]
    [TestCase(50f, 1f)]
    [TestCase(-60f, 1f)]
    public void Kernel_ExtremeSteps_EqualsFloat64(float shift, float scale)
    {
        using var scope = NewDisposeScope();
        foreach (var op in Layouts)
        {
            var inputs = Inputs(op, new Size(2, 20, 4, 70), Optional);
            inputs["delta"] = inputs["delta"] * scale + shift;
            Check(op, inputs, softplus: true);
        }
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Kernel_StatesDecay_NoneIsDenormal(Op op)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(op, new Size(1, 20, 4, 2000), []);
        inputs["delta"].fill_(0.05f);
        inputs["A"].fill_(-1);                       // 2000 steps of a twentieth: e^-100
        inputs["u"].narrow(op == SelectiveScan.Instance ? 2 : 1, 10, 1990).zero_();
        var results = Run(op, inputs, softplus: false, [], []);
        Assert.That(results["last_state"].abs().max().item<float>(), Is.Zero);
        Assert.That(results["y"].abs().max().item<float>(), Is.GreaterThan(0));
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Kernel_NaN_StaysInItsChannel(Op op)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(op, new Size(1, 20, 4, 40), []);
        (op == SelectiveScan.Instance ? inputs["u"][0, 3, 30] : inputs["u"][0, 30, 3]).fill_(float.NaN);
        var results = Run(op, inputs, softplus: false, [], []);
        Assert.That(results["y"].isnan().sum().item<long>(), Is.EqualTo(10));
        Assert.That(results["last_state"].isnan().sum().item<long>(), Is.EqualTo(4));
    }

    [Test]
    public void Invoke_StridedAndOffsetInputs_EqualsFloat64([Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        foreach (var op in Layouts)
        {
            var inputs = Inputs(op, new Size(2, 19, 3, 11), Optional);
            foreach (var (name, tensor) in inputs.ToList())
                inputs[name] = Strided(tensor);
            var (cotangents, wanted) = (Cotangents(inputs), inputs.Keys.ToList());
            var actual = KernelRun.Entry(op, inputs, Softplus(true), cotangents, wanted, kernels, ScalarType.Float32);
            var exact = KernelRun.Entry(op, inputs, Softplus(true), cotangents, wanted, "reference", ScalarType.Float64);
            var (worst, what) = KernelRun.Difference(actual, exact);
            Assert.That(worst, Is.LessThan(Tolerance), what);
        }

        static Tensor Strided(Tensor x) => cat([zeros_like(x), x], dim: -1).narrow(-1, x.size(-1), x.size(-1));
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Invoke_TwoThreads_SameBits(Op op)
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var inputs = Inputs(op, new Size(2, 200, 5, 130), Optional);
            var cotangents = Cotangents(inputs);
            WorkShare.Threads = 1;
            var one = Run(op, inputs, true, cotangents, inputs.Keys);
            WorkShare.Threads = 2;
            var two = Run(op, inputs, true, cotangents, inputs.Keys);
            foreach (var name in one.Keys)
                Assert.That(two[name].Equals(one[name]), Is.True, name);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [TestCaseSource(nameof(Everywhere))]
    public void Invoke_InTwoPieces_EqualsTheWhole(Op op)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(op, new Size(2, 40, 5, 90), Optional);
        var time = op == SelectiveScan.Instance ? -1 : 1;
        NamedTensors Piece(long first, long count, Tensor state) => op.Invoke(
            new(inputs.Select(i => KeyValuePair.Create(i.Key,
                i.Key == "initial_state" ? state : i.Key is "u" or "delta" or "z" or "B" or "C" ? i.Value.narrow(time, first, count) : i.Value))),
            Softplus(true), KernelChoice.Parse("cpu")).Outputs;
        var whole = Piece(0, 90, inputs["initial_state"]);
        var first = Piece(0, 37, inputs["initial_state"]);
        var second = Piece(37, 53, first["last_state"]);
        var y = cat([first["y"], second["y"]], dim: time);
        Assert.That((y - whole["y"]).abs().max().item<float>(), Is.LessThan(3e-6), "rounding of Δ's exponentials is the same; chunks start elsewhere");
        Assert.That((second["last_state"] - whole["last_state"]).abs().max().item<float>(), Is.LessThan(3e-6));
    }

    [Test]
    public void Invoke_MisshapedArguments_NamesThem()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(SelectiveScan.Instance, new Size(2, 6, 3, 5), []);
        NamedTensors With(string name, Tensor tensor) => new(inputs) { [name] = tensor };
        void Refused(NamedTensors given, string sentence) => Assert.That(
            () => SelectiveScan.Instance.Invoke(given, OpOptions.None, KernelChoice.Auto), Throws.TypeOf<ShapeException>().With.Message.EqualTo(sentence));
        Refused(With("B", zeros(2, 5, 3)), "selective_scan: 'B' is [2, 5, 3] but must be [B 2, N 3, L 5].");
        Refused(With("B", zeros(2, 3)), "selective_scan: 'B' is [2, 3] but must be [B 2, N 3, L 5] or [B 2, G, N 3, L 5].");
        Refused(With("C", zeros(2, 4, 3, 5)), "selective_scan: 4 groups of B and C cannot share 6 channels evenly.");
        Refused(With("delta", zeros(2, 6, 4)), "selective_scan: 'delta' is [2, 6, 4] but must be [B 2, D 6, L 5].");
    }

    [TestCase(1)]
    [TestCase(3)]
    public void Baselines_Loop_EqualsTheReference(long groups)
    {
        using var scope = NewDisposeScope();
        foreach (var op in Layouts)
        {
            var inputs = Inputs(op, new Size(2, 6, 3, 7, groups), Optional);
            var loop = op.Baselines.Single().Run(inputs, Softplus(true));
            var (worst, what) = KernelRun.Difference(loop, op.Invoke(inputs, Softplus(true), KernelChoice.Parse("reference")).Outputs);
            Assert.That(worst, Is.LessThan(Tolerance), what);
        }
    }

    private static OpOptions Softplus(bool on) => new(new JsonObject { ["delta_softplus"] = on });

    private static NamedTensors Inputs(Op op, Size size, IReadOnlyCollection<string> optional)
    {
        manual_seed(1);
        var timeLast = op == SelectiveScan.Instance;
        var (batch, channels, states, length, groups) = size;
        long[] wide = timeLast ? [batch, channels, length] : [batch, length, channels];
        long[] shared = groups == 1 ? timeLast ? [batch, states, length] : [batch, length, states]
            : timeLast ? [batch, groups, states, length] : [batch, length, groups, states];
        var inputs = new NamedTensors
        {
            ["u"] = randn(wide),
            ["delta"] = 0.5 * rand(wide),
            ["A"] = -0.1 - 4 * rand(channels, states),
            ["B"] = randn(shared),
            ["C"] = randn(shared),
        };
        var given = new NamedTensors { ["D"] = randn(channels), ["z"] = randn(wide), ["delta_bias"] = rand(channels), ["initial_state"] = randn(batch, channels, states) };
        foreach (var name in optional)
            inputs[name] = given[name];
        return inputs;
    }

    private static NamedTensors Cotangents(NamedTensors inputs) =>
        new() { ["y"] = randn(inputs["u"].shape), ["last_state"] = randn(LastStateShape(inputs)) };

    private static long[] LastStateShape(NamedTensors inputs) => [inputs["u"].size(0), .. inputs["A"].shape];

    private static NamedTensors Run(Op op, NamedTensors inputs, bool softplus, NamedTensors cotangents, IEnumerable<string> wanted)
    {
        var outputs = new NamedTensors { ["y"] = empty(inputs["u"].shape), ["last_state"] = empty(LastStateShape(inputs)) };
        return KernelRun.Kernel(op, inputs, Softplus(softplus), outputs, cotangents, wanted);
    }

    private static void Check(Op op, NamedTensors inputs, bool softplus, NamedTensors? cotangents = null, IReadOnlyCollection<string>? wanted = null)
    {
        cotangents ??= Cotangents(inputs);
        wanted ??= [.. inputs.Keys];
        var exact = KernelRun.Entry(op, inputs, Softplus(softplus), cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(Run(op, inputs, softplus, cotangents, wanted), exact);
        TestContext.Out.WriteLine($"{worst:e2} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    private sealed record Size(long Batch, long Channels, long States, long Length, long Groups = 1);
}
