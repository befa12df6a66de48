using Zoo.CudaEmulation;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>The cuda kernels of linear_scan, emulated.</summary>
public sealed class LinearScanCudaTests
{
    /// <summary>Measured, in units of the largest value: 3.8e-7.</summary>
    private const double Tolerance = 8e-7;

    private static readonly string[] All = ["a", "b", "h0"];

    [Test]
    public void Kernel_AnyLengthAndDim_EqualsFloat64(
        [Values(0, 1, 17, 64, 65, 513)] int length, [Values(1, 33)] int dim, [Values] bool initial, [Values(0, 2)] int batch)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(LinearScan.Instance, Inputs(batch, length, dim, initial), Tolerance);
    }

    /// <summary>Few sequences of many steps: time is cut into chunks.</summary>
    [TestCase(1, 1100, 5)]
    [TestCase(1, 2600, 33)]
    [TestCase(3, 1025, 1)]
    public void Kernel_ManySteps_EqualsFloat64(int batch, int length, int dim)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(batch, length, dim, initial: true);
        EmulatedOp.Check(LinearScan.Instance, inputs, Tolerance);
        EmulatedOp.Check(LinearScan.Instance, inputs, Tolerance, wanted: ["a"], unused: ["last_state"]);
    }

    [TestCase(1f), TestCase(0f), TestCase(0.5f), TestCase(1e-30f), TestCase(-1f), TestCase(1e30f)]
    public void Kernel_ExtremeDecay_EqualsFloat64(float decay)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 300, 20, initial: true);
        inputs["a"].fill_(decay);
        inputs["b"].slice(1, 10, 300, 1).zero_();
        if (decay > 1)
            inputs["h0"].zero_();   // infinite products of decays meet a state of zero
        EmulatedOp.Check(LinearScan.Instance, inputs, Tolerance, unused: decay > 1 ? ["h"] : []);
    }

    [Test]
    public void Kernel_SomeGradientsOnly_AreThose([Range(0, 7)] int subset, [Values("h", "last_state")] string unused)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(
            LinearScan.Instance, Inputs(2, 9, 21, initial: true), Tolerance, wanted: [.. All.Where((_, i) => (subset >> i & 1) == 1)], unused: [unused]);
    }

    private static NamedTensors Inputs(long batch, long length, long dim, bool initial)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["a"] = rand(batch, length, dim), ["b"] = randn(batch, length, dim) };
        if (initial)
            inputs["h0"] = randn(batch, dim);
        return inputs;
    }
}
