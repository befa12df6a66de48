using Zoo.XLstm.Ops.SlstmInputs;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

public sealed class SlstmInputsTests
{
    /// <summary>Measured, in units of a tensor's largest value: 8e-7.</summary>
    private const double Tolerance = 1.6e-6;

    [TestCase(2, 5, 3, 8)]
    [TestCase(1, 1, 1, 1)]
    [TestCase(2, 7, 2, 13)]
    [TestCase(1, 65, 4, 32)]
    [TestCase(3, 171, 2, 16)]       // one row past a piece
    [TestCase(1, 3, 2, 65)]
    [TestCase(0, 3, 2, 4)]
    [TestCase(2, 0, 2, 4)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long length, long heads, long dim)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, length, heads, dim));
    }

    [TestCase("conv")]
    [TestCase("x")]
    [TestCase("wf")]
    [TestCase("wo")]
    public void Kernel_OneGradientWanted_EqualsFloat64(string wanted)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 5, 3, 12), [wanted]);
    }

    [Test]
    public void Apply_HeadsWiderThanTheKernelIsFor_EqualsReference()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 1, 129);
        var gates = SlstmInputs.Apply(inputs["conv"], inputs["x"], (inputs["wi"], inputs["wf"], inputs["wz"], inputs["wo"]), Zoo.Kernels.KernelChoice.Auto);
        var expected = SlstmInputs.Instance.Invoke(inputs, Zoo.Kernels.OpOptions.None, Zoo.Kernels.KernelChoice.Parse("reference")).Outputs["gates"];
        Assert.That(gates.equal(expected).all().item<bool>());
    }

    private static NamedTensors Inputs(long batch, long length, long heads, long dim)
    {
        manual_seed(9);
        var inputs = new NamedTensors();
        foreach (var name in new[] { "wi", "wf", "wz", "wo" })
            inputs[name] = randn(heads, dim, dim);
        (inputs["conv"], inputs["x"]) = (randn(batch, length, heads * dim), randn(batch, length, heads * dim));
        return inputs;
    }

    private static void Check(NamedTensors inputs, IReadOnlyCollection<string>? wanted = null)
    {
        var (worst, what) = OpCheck.Difference(SlstmInputs.Instance, inputs, wanted: wanted);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
