using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.GatedHalves;
using Zoo.MatMulFree.Ops.Hgrn;
using Zoo.MatMulFree.Ops.Mlgru;
using Zoo.MatMulFree.Ops.SwishNorm;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

/// <summary>The cuda kernels, emulated, against float64.</summary>
public sealed class MatMulFreeCudaTests
{
    /// <summary>Measured, in units of the largest value: 1e-6.</summary>
    private const double Tolerance = 2e-6;

    private static IEnumerable<TestCaseData> GoldenCases =>
        from op in new Op[] { BitLinearOp.Instance, HgrnOp.Instance }
        from path in EmulatedOp.GoldenCases(op.Name, Repository.Root, plugin: "MatMulFree")
        select new TestCaseData(op, path).SetArgDisplayNames(Path.GetFileNameWithoutExtension(path));

    [TestCaseSource(nameof(GoldenCases))]
    public void Kernel_GoldenCase_IsMet(Op op, string path)
    {
        // The recurrence has no kernel of its own: linear_scan's, with what it stands on.
        if (op.Kernels.Count == 0)
            Assert.That(op, Is.SameAs(HgrnOp.Instance));
        else
            EmulatedOp.CheckGolden(op, path);
    }

    [TestCase(0, 33, 9), TestCase(1, 1, 1), TestCase(17, 64, 9), TestCase(65, 33, 70), TestCase(3, 130, 65), TestCase(140, 20, 66), TestCase(300, 5, 3), TestCase(260, 132, 260)]
    public void BitLinear_AnySizes_EqualsFloat64(int rows, int inputs, int outputs)
    {
        using var scope = NewDisposeScope();
        // A row of one number has a gradient that cancels to nothing.
        EmulatedOp.Check(BitLinearOp.Instance, Arguments(rows, inputs, outputs, bias: true), inputs == 1 ? 1e-5 : Tolerance);
    }

    [Test]
    public void BitLinear_SomeGradientsOnly_AreThose([Range(1, 15)] int subset)
    {
        using var scope = NewDisposeScope();
        var arguments = Arguments(5, 20, 9, bias: true);
        EmulatedOp.Check(BitLinearOp.Instance, arguments, Tolerance, wanted: [.. arguments.Keys.Where((_, i) => (subset >> i & 1) == 1)],
            options: new OpOptions(new JsonObject { ["integers"] = false }));
    }

    [Test]
    public void BitLinear_OnTheCpusIntegers_SameBits()
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Require();
        var arguments = Arguments(20, 70, 40, bias: true);
        using var emulation = CudaEmulator.Install();
        var card = BitLinearOp.Instance.Invoke(arguments, OpOptions.None, KernelChoice.Parse("cuda")).Outputs;
        var expected = card["x_int8"].to(ScalarType.Float32).mm(card["w_ternary"].to(ScalarType.Float32).t()) * (card["w_scale"] / card["x_scale"]) + arguments["bias"];
        Assert.That(card["y"].Equals(expected), Is.True);
    }

    [Test]
    public void Mlgru_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length, [Values] bool optional)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(MlgruOp.Instance, OfMlgru(2, length, 33, optional), Tolerance);
    }

    /// <summary>Few sequences of many steps: time is cut into chunks.</summary>
    [Test]
    public void Mlgru_ManySteps_EqualsFloat64()
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(MlgruOp.Instance, OfMlgru(1, 1100, 5, optional: true), Tolerance);
    }

    [TestCase(-200f), TestCase(-45f), TestCase(45f), TestCase(200f)]
    public void Mlgru_ExtremeGates_EqualsFloat64(float gate)
    {
        using var scope = NewDisposeScope();
        foreach (var name in new[] { "input", "forget" })
        {
            var inputs = OfMlgru(1, 20, 5, optional: true);
            inputs[name].slice(1, 0, 20, 2).fill_(gate);
            EmulatedOp.Check(MlgruOp.Instance, inputs, Tolerance);
        }
    }

    [Test]
    public void Mlgru_SomeGradientsOnly_AreThose([Range(1, 15)] int subset)
    {
        using var scope = NewDisposeScope();
        var inputs = OfMlgru(2, 9, 5, optional: true);
        EmulatedOp.Check(MlgruOp.Instance, inputs, Tolerance, wanted: [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [TestCase("h"), TestCase("last_state")]
    public void Mlgru_OneOutputUnused_EqualsFloat64(string unused)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(MlgruOp.Instance, OfMlgru(2, 9, 5, optional: true), Tolerance, unused: [unused]);
    }

    [Test]
    public void SwishNorm_AnyRowsAndDim_EqualsFloat64([Values(0, 1, 17, 65)] int length, [Values(1, 33, 300)] int dim)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        EmulatedOp.Check(SwishNormOp.Instance, new() { ["x"] = randn(2, length, dim), ["gate"] = randn(2, length, dim), ["weight"] = randn(dim) }, dim == 1 ? 1e-5 : Tolerance);
    }

    [Test]
    public void SwishNorm_SomeGradientsOnly_AreThose([Range(1, 7)] int subset)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["x"] = randn(2, 3, 33), ["gate"] = randn(2, 3, 33), ["weight"] = randn(33) };
        EmulatedOp.Check(SwishNormOp.Instance, inputs, Tolerance, wanted: [.. inputs.Keys.Where((_, i) => (subset >> i & 1) == 1)]);
    }

    [Test]
    public void GatedHalves_AnyRowsAndDim_EqualsFloat64([Values(0, 1, 17)] int length, [Values(2, 66)] int width)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        EmulatedOp.Check(GatedHalvesOp.Instance, new() { ["x"] = randn(2, length, width) }, Tolerance);
    }

    private static NamedTensors OfMlgru(long batch, long length, long dim, bool optional)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["input"] = randn(batch, length, dim), ["forget"] = randn(batch, length, dim) };
        if (optional)
        {
            inputs["lower_bound"] = rand(dim);
            inputs["h0"] = randn(batch, dim);
        }
        return inputs;
    }

    /// <summary>Random arguments of which no number lies so near the middle between two integers that float32 might round it the other way.</summary>
    private static NamedTensors Arguments(long rows, long inputs, long outputs, bool bias)
    {
        for (var seed = 1; ; seed++)
        {
            manual_seed(seed);
            var arguments = new NamedTensors { ["x"] = randn(rows, inputs), ["norm.weight"] = randn(inputs), ["weight"] = randn(outputs, inputs) };
            if (bias)
                arguments["bias"] = randn(outputs);
            if (rows == 0)
                return arguments;
            var (x, w) = (arguments["x"].to(ScalarType.Float64), arguments["weight"].to(ScalarType.Float64));
            var n = x * (x.square().mean([-1], keepdim: true) + 1e-6).rsqrt() * arguments["norm.weight"];
            var scaled = n * (127 / n.abs().amax([-1], keepdim: true).clamp_min(1e-5));
            var ratios = w / w.abs().mean();
            if (Distance(scaled) > 5e-5 && Distance(ratios) > 1e-6)
                return arguments;
        }

        static double Distance(Tensor numbers) => (numbers - numbers.floor() - 0.5).abs().min().item<double>();
    }
}
