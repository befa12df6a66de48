using Zoo.CudaEmulation;
using Zoo.XLstm.Ops.Slstm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>The cuda kernels of slstm, emulated.</summary>
public sealed class SlstmCudaTests
{
    /// <summary>Measured, in units of the largest value: 4.4e-7.</summary>
    private const double Tolerance = 9e-7;

    /// <summary>Measured: 5.8e-4. Pre-activations are sums in float32, and at 10⁴ its last digit is 10⁻³.</summary>
    private const double ExtremeTolerance = 1.2e-3;

    private static IEnumerable<string> Cases() => EmulatedOp.GoldenCases("slstm", Repository.Root, plugin: "XLstm");

    [TestCaseSource(nameof(Cases))]
    public void Kernel_RecordedCase_IsMet(string path) => EmulatedOp.CheckGolden(Slstm.Instance, path);

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(Slstm.Instance, SlstmTests.Inputs(length > 100 ? 1 : 2, length, 1, 5, withState: length != 64), Tolerance);
    }

    /// <summary>One sequence a block and four; weights in 32, 64, 48 and 8 registers, in shared memory and, at 131, beyond it.</summary>
    [TestCase(1, 1, 1), TestCase(9, 1, 3), TestCase(5, 2, 20), TestCase(0, 2, 4), TestCase(1, 1, 50), TestCase(10, 1, 34), TestCase(1, 1, 100), TestCase(1, 1, 131)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long heads, long dim)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(Slstm.Instance, SlstmTests.Inputs(batch, dim > 64 ? 2 : 6, heads, dim, withState: true), Tolerance);
    }

    [TestCase("y"), TestCase("state")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(
            Slstm.Instance, SlstmTests.Inputs(2, 9, 2, 3, withState: true), Tolerance, unused: [.. Slstm.Instance.Outputs.Where(o => o != output)]);
    }

    [TestCase("x"), TestCase("_recurrent_kernel_"), TestCase("_bias_"), TestCase("state")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(Slstm.Instance, SlstmTests.Inputs(1, 5, 2, 3, withState: true), Tolerance, wanted: [wanted]);
    }

    [Test]
    public void Kernel_EveryNIsZeroAndCIsNot_EqualsFloat64()
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(Slstm.Instance, SlstmTests.WithoutN(4), Tolerance);
    }

    [TestCase(-1e4f, 0f), TestCase(1e4f, 0f), TestCase(0f, -1e4f), TestCase(0f, 1e4f), TestCase(-1e4f, -1e4f), TestCase(1e4f, 1e4f)]
    public void Kernel_ExtremeGates_EqualsFloat64AndIsFinite(float input, float forget)
    {
        using var scope = NewDisposeScope();
        foreach (var withState in new[] { false, true })
        {
            var inputs = SlstmTests.Inputs(2, 9, 1, 5, withState);
            inputs["x"] = inputs["x"] + cat([full(5, input), full(5, forget), zeros(10)]);
            EmulatedOp.Check(Slstm.Instance, inputs, ExtremeTolerance);
        }
    }
}
