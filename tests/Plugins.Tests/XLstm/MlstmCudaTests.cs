using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.XLstm.Ops.Mlstm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>The cuda kernels of mlstm, emulated.</summary>
public sealed class MlstmCudaTests
{
    /// <summary>Measured, in units of the largest value: 2e-6.</summary>
    private const double Tolerance = 4e-6;

    /// <summary>Measured: 1.8e-5. With input gates at 10⁴ what a key's weight hangs on are the last digits of a float32.</summary>
    private const double ExtremeTolerance = 3.6e-5;

    private static readonly string[] State = ["c0", "n0", "m0"];

    private static IEnumerable<string> Cases() => EmulatedOp.GoldenCases("mlstm", Repository.Root, plugin: "XLstm");

    [TestCaseSource(nameof(Cases))]
    public void Kernel_RecordedCase_IsMet(string path) => EmulatedOp.CheckGolden(Mlstm.Instance, path);

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(length > 100 ? 1 : 2, 1, length, 8, 12, length == 64 ? [] : State));
    }

    /// <summary>Beside multiplications (8), warps (32) and tiles (64).</summary>
    [TestCase(1, 1), TestCase(3, 5), TestCase(33, 70), TestCase(130, 9)]
    public void Kernel_AnyWidths_EqualsFloat64(long keys, long values)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(1, 2, 35, keys, values, State), chunk: 32);
    }

    [Test]
    public void Kernel_AnyChunk_EqualsFloat64([Values(1, 2, 16, 17)] int chunk)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(1, 2, 37, 4, 4, State), chunk);
    }

    [Test]
    public void Invoke_LargeChunk_IsRejectedInWords()
    {
        using var emulation = CudaEmulator.Install();
        using var scope = NewDisposeScope();
        Assert.That(() => Mlstm.Instance.Invoke(MlstmTests.Inputs(1, 1, 2, 2, 2), new OpOptions(new() { ["chunk_size"] = 65 }), KernelChoice.Parse("cuda")),
            Throws.InstanceOf<Exception>().With.Message.Contains("chunk_size is 65; the cuda backend takes at most 64"));
    }

    /// <summary>One step without gradients has a kernel of its own; wider than its 32 values.</summary>
    [Test]
    public void Step_AnyState_EqualsFloat64([Values(0, 7)] int subset, [Values(3, 40)] int values)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        EmulatedOp.Check(Mlstm.Instance, MlstmTests.Inputs(2, 2, 1, 11, values, [.. State.Where((_, i) => (subset >> i & 1) == 1)]), Tolerance, wanted: []);
    }

    /// <summary>Without a backward to come, states lie in memory for some chunks at a time.</summary>
    [Test]
    public void Kernel_NoGradient_EqualsFloat64()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        EmulatedOp.Check(Mlstm.Instance, MlstmTests.Inputs(1, 2, 70, 8, 8, State), Tolerance, wanted: []);
    }

    [Test]
    public void Kernel_AnyPartOfTheState_EqualsFloat64([Values(1, 2, 4, 5)] int subset)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(1, 1, 21, 6, 7, [.. State.Where((_, i) => (subset >> i & 1) == 1)]), chunk: 16);
    }

    [TestCase("h"), TestCase("c"), TestCase("n"), TestCase("m")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(1, 1, 21, 6, 7, State), chunk: 16, unused: [.. Mlstm.Instance.Outputs.Where(o => o != output)]);
    }

    [TestCase("q"), TestCase("k"), TestCase("v"), TestCase("i"), TestCase("f"), TestCase("c0"), TestCase("n0"), TestCase("m0")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(1, 1, 9, 4, 4, State), chunk: 8, wanted: [wanted]);
    }

    [TestCase(-1e4f, 0f), TestCase(1e4f, 0f), TestCase(0f, -1e4f), TestCase(0f, 1e4f), TestCase(-1e4f, -1e4f), TestCase(1e4f, 1e4f), TestCase(float.NaN, float.NaN)]
    public void Kernel_ExtremeGates_EqualsFloat64AndIsFinite(float input, float forget)
    {
        using var scope = NewDisposeScope();
        var inputs = MlstmTests.Inputs(1, 2, 40, 8, 8, State);
        inputs["i"] = float.IsNaN(input) ? (rand(1, 2, 40) * 2 - 1) * 1e4f : inputs["i"] + input;
        inputs["f"] = float.IsNaN(forget) ? (rand(1, 2, 40) * 2 - 1) * 1e4f : inputs["f"] + forget;
        Check(inputs, chunk: 17, tolerance: ExtremeTolerance);
    }

    [Test]
    public void Kernel_NoSequences_GivesNothing()
    {
        using var scope = NewDisposeScope();
        Check(MlstmTests.Inputs(0, 2, 5, 4, 4));
    }

    private static void Check(
        NamedTensors inputs, int chunk = 0, IReadOnlyCollection<string>? wanted = null, IReadOnlyCollection<string>? unused = null, double tolerance = Tolerance) =>
        EmulatedOp.Check(Mlstm.Instance, inputs, tolerance, new OpOptions(new JsonObject { ["chunk_size"] = chunk }), wanted, unused);
}
