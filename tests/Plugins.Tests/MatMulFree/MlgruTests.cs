using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.MatMulFree.Ops.GatedHalves;
using Zoo.MatMulFree.Ops.Mlgru;
using Zoo.MatMulFree.Ops.SwishNorm;
using Zoo.Tests.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

/// <summary>MLGRU, the gated norm and the gated halves: cpu kernels against the references in float64.</summary>
public sealed class MlgruTests
{
    /// <summary>Measured, in units of the largest value: 9e-7; the gradient of a weight or bound that sums over rows 1.5e-6.</summary>
    private const double Tolerance = 3e-6;

    private static readonly Dictionary<string, Op> Ops = new()
    {
        ["mlgru"] = MlgruOp.Instance,
        ["rms_norm_swish_gate"] = SwishNormOp.Instance,
        ["swiglu_halves"] = GatedHalvesOp.Instance,
    };

    private static IEnumerable<string> Names => Ops.Keys;

    [Test]
    public void Kernel_AnyLengthAndDim_EqualsFloat64(
        [ValueSource(nameof(Names))] string name, [Values(0, 1, 17, 64, 65, 513)] int length, [Values(2, 16, 34)] int dim,
        [Values] bool optional, [Values(0, 3)] int batch)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, batch, length, dim, optional);
        Check(name, inputs, Cotangents(name, inputs), [.. inputs.Keys]);
    }

    [TestCase(-200f), TestCase(-90f), TestCase(-45f), TestCase(0f), TestCase(45f), TestCase(90f), TestCase(200f)]
    public void Kernel_ExtremeGates_EqualsFloat64(float gate)
    {
        using var scope = NewDisposeScope();
        foreach (var (name, gates) in new[] { ("mlgru", "forget"), ("mlgru", "input"), ("rms_norm_swish_gate", "gate"), ("swiglu_halves", "x") })
        {
            var inputs = Inputs(name, 2, 65, 20, optional: true);
            inputs[gates].slice(1, 0, 65, 2).fill_(gate);
            Check(name, inputs, Cotangents(name, inputs), [.. inputs.Keys]);
        }
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([ValueSource(nameof(Names))] string name, [Range(0, 15)] int subset)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 2, 9, 22, optional: true);
        string[] wanted = [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)];
        foreach (var output in Ops[name].Outputs)
        {
            var cotangents = Cotangents(name, inputs);
            if (cotangents.Count > 1)
                cotangents.Remove(output);
            Check(name, inputs, cotangents, wanted);
        }
    }

    [Test]
    public void Invoke_StridedInputs_EqualsFloat64([ValueSource(nameof(Names))] string name, [Values("cpu", "reference")] string kernels)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 3, 5, 18, optional: true);
        foreach (var key in inputs.Keys.ToList())
            inputs[key] = inputs[key].transpose(0, -1).contiguous().transpose(0, -1);
        var cotangents = Cotangents(name, inputs);
        var actual = KernelRun.Entry(Ops[name], inputs, OpOptions.None, cotangents, [.. inputs.Keys], kernels, ScalarType.Float32);
        var exact = KernelRun.Entry(Ops[name], inputs, OpOptions.None, cotangents, [.. inputs.Keys], "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(actual, exact);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Invoke_TwoThreads_SameBits([ValueSource(nameof(Names))] string name)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 3, 130, 300, optional: true);
        var cotangents = Cotangents(name, inputs);
        try
        {
            WorkShare.Threads = 1;
            var one = KernelRun.Kernel(Ops[name], inputs, OpOptions.None, cotangents, cotangents, inputs.Keys);
            WorkShare.Threads = 2;
            var two = KernelRun.Kernel(Ops[name], inputs, OpOptions.None, cotangents, cotangents, inputs.Keys);
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    [Test]
    public void Mlgru_StatesDecay_NoneIsDenormal()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["input"] = zeros(1, 300, 20), ["forget"] = zeros(1, 300, 20), ["h0"] = ones(1, 20) };
        var h = MlgruOp.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("cpu")).Outputs["h"];
        Assert.That(((h.abs() > 0) & (h.abs() < 1.17549435e-38f)).any().item<bool>(), Is.False);
        Assert.That(h.select(1, 50).ne(0).all().item<bool>(), Is.True);
    }

    [Test]
    public void Mlgru_Loop_EqualsTheDefinition()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors(Inputs("mlgru", 2, 40, 6, optional: true).Select(i => KeyValuePair.Create(i.Key, i.Value.to(ScalarType.Float64))));
        var expected = MlgruOp.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("reference")).Outputs["h"];
        TensorAssert.Close(MlgruOp.Instance.Baselines.Single().Run(inputs, OpOptions.None)["h"], expected, 1e-12, 0, "loop");
    }

    [Test]
    public void Invoke_WrongArguments_SaysWhat()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => GatedHalvesOp.Instance.Invoke(new() { ["x"] = ones(1, 2, 5) }, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("swiglu_halves: 'x' is [1, 2, 5]; its last axis must be even."));
        Assert.That(() => SwishNormOp.Apply(ones(1, 2, 5), ones(1, 2, 5), ones(5), -1, KernelChoice.Auto),
            Throws.TypeOf<UserException>().With.Message.EqualTo("rms_norm_swish_gate: 'eps' is -1; it must be at least 0."));
    }

    private static NamedTensors Inputs(string name, long batch, long length, long dim, bool optional)
    {
        manual_seed(1);
        var inputs = new NamedTensors();
        foreach (var argument in Ops[name].Arguments.Where(a => optional || !a.Optional))
        {
            var shape = argument.Axes.Select(axis => axis switch { "B" => batch, "L" => length, _ => dim }).ToArray();
            inputs[argument.Name] = argument.Name == "lower_bound" ? rand(shape) : randn(shape);
        }
        return inputs;
    }

    private static NamedTensors Cotangents(string name, NamedTensors inputs)
    {
        manual_seed(3);
        var first = inputs.Values.First();
        var shape = first.shape;
        return name switch
        {
            "mlgru" => new() { ["h"] = randn(shape), ["last_state"] = randn(shape[0], shape[2]) },
            "swiglu_halves" => new() { ["y"] = randn(shape[0], shape[1], shape[2] / 2) },
            _ => new() { ["y"] = randn(shape) },
        };
    }

    private static void Check(string name, NamedTensors inputs, NamedTensors cotangents, IReadOnlyCollection<string> wanted)
    {
        var all = Cotangents(name, inputs);
        var exact = KernelRun.Entry(Ops[name], inputs, OpOptions.None, cotangents, wanted, "reference", ScalarType.Float64);
        var (worst, what) = KernelRun.Difference(KernelRun.Kernel(Ops[name], inputs, OpOptions.None, all, cotangents, wanted), exact);
        TestContext.Out.WriteLine($"{worst:E1} {what}");
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
