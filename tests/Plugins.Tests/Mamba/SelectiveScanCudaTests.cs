using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;
using static TorchSharp.torch;

namespace Zoo.Tests.Mamba;

/// <summary>The cuda kernels of the selective scan, emulated.</summary>
public sealed class SelectiveScanCudaTests
{
    /// <summary>Measured, in units of the largest value: 4.1e-7.</summary>
    private const double Tolerance = 8e-7;

    private static IEnumerable<string> Cases() => EmulatedOp.GoldenCases("selective_scan", Repository.Root, plugin: "Mamba");

    [TestCaseSource(nameof(Cases))]
    public void Kernel_RecordedCase_IsMet(string path) => EmulatedOp.CheckGolden(SelectiveScan.Instance, path);

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length, [Values] bool timeLast)
    {
        using var scope = NewDisposeScope();
        Check(timeLast, length > 100 ? 1 : 2, 5, 3, length, everything: length != 64);
    }

    [TestCase(16, 17, 1), TestCase(1, 3, 1), TestCase(40, 3, 1), TestCase(4, 6, 3)]
    public void Kernel_AnyStatesChannelsAndGroups_EqualsFloat64(int states, int channels, int groups)
    {
        using var scope = NewDisposeScope();
        Check(timeLast: true, 2, channels, states, 11, everything: true, groups);
        Check(timeLast: false, 2, channels, states, 11, everything: true, groups);
    }

    [TestCase("u"), TestCase("A"), TestCase("B"), TestCase("initial_state")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        foreach (var unused in new[] { "y", "last_state" })
            EmulatedOp.Check(SelectiveScan.Instance, Inputs(true, 2, 5, 3, 9, everything: true, 1), Tolerance, Softplus(true), [wanted], [unused]);
    }

    /// <summary>More states than a pass: what passes carry lies where nobody asked for it.</summary>
    [Test]
    public void Kernel_ManyStatesAndOneGradient_IsThat([Values] bool timeLast, [Values("A", "C")] string wanted)
    {
        using var scope = NewDisposeScope();
        var op = timeLast ? (Op)SelectiveScan.Instance : SelectiveScanTokens.Instance;
        EmulatedOp.Check(op, Inputs(timeLast, 2, 5, 20, 40, everything: true, 1), Tolerance, Softplus(true), [wanted]);
    }

    /// <summary>States that hardly decay keep the errors of all steps: measured 1.2e-6, in the gradient of A.</summary>
    [Test]
    public void Kernel_LongMemory_EqualsFloat64([Values] bool timeLast)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(timeLast, 1, 5, 3, 700, everything: false, 1);
        inputs["delta"] = inputs["delta"] * 0.01;
        inputs["A"] = inputs["A"] * 0.1;
        EmulatedOp.Check(timeLast ? SelectiveScan.Instance : SelectiveScanTokens.Instance, inputs, 3 * Tolerance);
    }

    private static OpOptions Softplus(bool on) => new(new JsonObject { ["delta_softplus"] = on });

    private static void Check(bool timeLast, long batch, long channels, long states, long length, bool everything, long groups = 1) => EmulatedOp.Check(
        timeLast ? SelectiveScan.Instance : SelectiveScanTokens.Instance, Inputs(timeLast, batch, channels, states, length, everything, groups), Tolerance,
        Softplus(everything));

    private static NamedTensors Inputs(bool timeLast, long batch, long channels, long states, long length, bool everything, long groups)
    {
        manual_seed(1);
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
        if (everything)
        {
            inputs["D"] = randn(channels);
            inputs["z"] = randn(wide);
            inputs["delta_bias"] = rand(channels);
            inputs["initial_state"] = randn(batch, channels, states);
        }
        return inputs;
    }
}
