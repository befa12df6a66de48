using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.XLstm.Ops.HeadNorm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

/// <summary>The cuda kernels of head_norm, emulated.</summary>
public sealed class HeadNormCudaTests
{
    /// <summary>Measured, in units of the largest value: 4e-7.</summary>
    private const double Tolerance = 8e-7;

    private static OpOptions Options(string act) => new(new JsonObject { ["offset"] = 1.0, ["gate_act"] = act, ["eps"] = 1e-3 });

    [Test]
    public void Kernel_AnyArguments_EqualsFloat64([Values] bool withWeight, [Values] bool withSkip, [Values] bool withGate)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(HeadNorm.Instance, HeadNormTests.Inputs(2, 3, 5, 20, withWeight, withSkip, withGate), Tolerance, Options(withSkip ? "silu" : "sigmoid"));
    }

    /// <summary>Beside warps (32), the warps of a block (8), and what its shared memory holds.</summary>
    [TestCase(1, 1, 1, 1), TestCase(2, 2, 17, 33), TestCase(1, 2, 65, 64), TestCase(1, 1, 513, 5), TestCase(1, 1, 2, 1100), TestCase(0, 2, 3, 4), TestCase(2, 2, 0, 4)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long heads, long length, long dim)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(HeadNorm.Instance, HeadNormTests.Inputs(batch, heads, length, dim, withWeight: true, withSkip: true, withGate: true), Tolerance, Options("silu"));
    }

    [TestCase("h"), TestCase("weight"), TestCase("skip"), TestCase("conv"), TestCase("gate")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(HeadNorm.Instance, HeadNormTests.Inputs(1, 2, 3, 4, true, true, true), Tolerance, Options("sigmoid"), [wanted]);
    }

    /// <summary>Gates at ±10⁴ shut or open: nothing overflows on the way.</summary>
    [Test]
    public void Kernel_ExtremeGates_EqualsFloat64([Values("silu", "sigmoid")] string act)
    {
        using var scope = NewDisposeScope();
        var inputs = HeadNormTests.Inputs(1, 2, 9, 8, true, true, true);
        inputs["gate"] = (rand(1, 9, 16) * 2 - 1) * 1e4f;
        EmulatedOp.Check(HeadNorm.Instance, inputs, Tolerance, Options(act));
    }
}
