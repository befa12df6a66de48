using Zoo.CudaEmulation;
using Zoo.XLstm.Ops.MlstmInputs;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>The cuda kernels of mlstm_inputs, emulated.</summary>
public sealed class MlstmInputsCudaTests
{
    /// <summary>Measured, in units of the largest value: 5e-7.</summary>
    private const double Tolerance = 1e-6;

    /// <summary>Beside tiles of 64 channels, steps and gates; blocks that end in another tile or head.</summary>
    [TestCase(2, 5, 4, 4, 2), TestCase(1, 17, 20, 4, 1), TestCase(2, 65, 3, 7, 3), TestCase(1, 64, 10, 1, 2), TestCase(1, 3, 33, 2, 33), TestCase(1, 513, 2, 4, 2)]
    [TestCase(2, 19, 34, 4, 2), TestCase(1, 131, 12, 4, 4), TestCase(3, 9, 6, 4, 3)]   // blocks of four, and strips of 128 channels
    [TestCase(2, 1, 2, 3, 2), TestCase(0, 4, 2, 4, 2), TestCase(2, 0, 2, 4, 2)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long length, long blocks, long block, long heads)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(MlstmInputs.Instance, MlstmInputsTests.Inputs(batch, length, blocks, block, heads, withBias: length % 2 == 1), Tolerance);
    }

    [TestCase("q"), TestCase("v"), TestCase("f")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(
            MlstmInputs.Instance, MlstmInputsTests.Inputs(2, 7, 4, 4, 2, withBias: true), Tolerance, unused: [.. MlstmInputs.Instance.Outputs.Where(o => o != output)]);
    }

    [TestCase("x"), TestCase("conv"), TestCase("wk"), TestCase("bv"), TestCase("wf"), TestCase("bi")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(MlstmInputs.Instance, MlstmInputsTests.Inputs(1, 3, 4, 4, 2, withBias: true), Tolerance, wanted: [wanted]);
    }
}
