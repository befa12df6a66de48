using System.Text.Json.Nodes;
using Zoo.CudaEmulation;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>The cuda kernels of causal_conv1d, emulated.</summary>
public sealed class CausalConvCudaTests
{
    /// <summary>Measured, in units of the largest value: 1e-6.</summary>
    private const double Tolerance = 2e-6;

    [Test]
    public void Kernel_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length, [Values(1, 2, 3, 4, 6)] int width, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(CausalConv.Instance, Inputs(2, length, 9, width, everything), Tolerance, new OpOptions(new JsonObject { ["silu"] = everything }));
    }

    [TestCase("x"), TestCase("weight"), TestCase("bias"), TestCase("initial")]
    public void Kernel_OneGradient_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        var unused = wanted is "x" or "initial" ? new[] { "y" } : ["last"];
        EmulatedOp.Check(
            CausalConv.Instance, Inputs(2, 6, 5, 4, everything: true), Tolerance, new OpOptions(new JsonObject { ["silu"] = true }), [wanted], unused);
    }

    private static NamedTensors Inputs(long batch, long length, long dim, long width, bool everything)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["x"] = randn(batch, length, dim), ["weight"] = randn(dim, width) };
        if (everything)
        {
            inputs["bias"] = randn(dim);
            inputs["initial"] = randn(batch, width, dim);
        }
        return inputs;
    }
}
