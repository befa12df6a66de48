using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using static TorchSharp.torch;

namespace Zoo.Tests.MinRnn;

/// <summary>The cuda kernels of every scan, emulated.</summary>
public sealed class ScanCudaTests
{
    /// <summary>Measured, in units of the largest value: 9.0e-7.</summary>
    private const double Tolerance = 1.8e-6;

    private static readonly OpOptions Plain = new(new JsonObject { ["activation"] = "identity" });

    private static readonly Dictionary<string, (Op Op, OpOptions Options, string[] Required, string Initial)> Cases = new()
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

    private static IEnumerable<TestCaseData> GoldenCases =>
        from op in new Op[] { MinGruOp.Instance, MinLstmOp.Instance, ForgetMultOp.Instance, QrnnPoolOp.Instance }
        from path in EmulatedOp.GoldenCases(op.Name, Repository.Root, plugin: "MinRnn")
        select new TestCaseData(op, path).SetArgDisplayNames(Path.GetFileNameWithoutExtension(path));

    [Test]
    public void Kernel_AnyLength_EqualsFloat64(
        [ValueSource(nameof(Names))] string name, [Values(0, 1, 17, 64, 65, 513)] int length, [Values] bool initial)
    {
        using var scope = NewDisposeScope();
        Check(name, Inputs(name, 2, length, 33, initial));
    }

    /// <summary>Few sequences of many steps: time is cut into chunks.</summary>
    [Test]
    public void Kernel_ManySteps_EqualsFloat64([ValueSource(nameof(Names))] string name)
    {
        using var scope = NewDisposeScope();
        Check(name, Inputs(name, 1, 1100, 5, initial: true));
    }

    [TestCase(-200f), TestCase(-45f), TestCase(45f), TestCase(200f)]
    public void Kernel_ExtremeGates_EqualsFloat64(float gate)
    {
        using var scope = NewDisposeScope();
        foreach (var name in Names.Where(n => n is not ("forget_mult" or "lru_scan")))
        {
            var inputs = Inputs(name, 1, 20, 5, initial: true);
            foreach (var argument in Cases[name].Required.Skip(1))
                inputs[argument].slice(1, 0, inputs[argument].size(1), 2).fill_(gate);
            Check(name, inputs);
        }
    }

    /// <summary>A number that is none must not look healthy: clamps and maxima drop it easily.</summary>
    [Test]
    public void Kernel_InputIsNotANumber_NeitherIsAnyStateFromThere([ValueSource(nameof(Names))] string name)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Require();
        using var emulation = CudaEmulator.Install();
        var (op, options, required, _) = Cases[name];
        foreach (var argument in required.Where(a => a != "lambda"))
        {
            var inputs = Inputs(name, 1, 20, 3, initial: true);
            var time = op.Arguments.Single(a => a.Name == argument).Axes.ToList().IndexOf("L");
            inputs[argument].narrow(time, 7, 1).fill_(float.NaN);
            var states = op.Invoke(inputs, options, KernelChoice.Parse("cuda")).Outputs.First().Value;
            var (before, from) = (states.narrow(time, 0, 7), states.narrow(time, 7, argument == "o" ? 1 : 13));
            Assert.That((before.isnan().any().item<bool>(), from.isnan().all().item<bool>()), Is.EqualTo((false, true)), argument);
        }
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([ValueSource(nameof(Names))] string name, [Range(1, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(name, 2, 9, 5, initial: true);
        Check(name, inputs, [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCaseSource(nameof(GoldenCases))]
    public void Kernel_GoldenCase_IsMet(object op, string path) => EmulatedOp.CheckGolden((Op)op, path);

    private static NamedTensors Inputs(string name, long batch, long length, long dim, bool initial)
    {
        manual_seed(1);
        var (op, _, required, state) = Cases[name];
        var sizes = new Dictionary<string, long> { ["B"] = batch, ["L"] = length, ["D"] = dim, ["N"] = dim, ["1"] = 1, ["2"] = 2 };
        return new(op.Arguments.Where(a => required.Contains(a.Name) || (initial && a.Name == state))
            .Select(a => KeyValuePair.Create(a.Name, op.Sample(a, [.. a.Axes.Select(x => sizes[x])]).contiguous())));
    }

    private static void Check(string name, NamedTensors inputs, IReadOnlyList<string>? wanted = null) =>
        EmulatedOp.Check(Cases[name].Op, inputs, Tolerance, options: Cases[name].Options, wanted: wanted);
}
