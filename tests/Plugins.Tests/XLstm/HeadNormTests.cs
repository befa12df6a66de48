using System.Text.Json.Nodes;
using Zoo.XLstm.Ops.HeadNorm;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

public sealed class HeadNormTests
{
    /// <summary>Measured, in units of a tensor's largest value: 9e-7.</summary>
    private const double Tolerance = 2e-6;

    internal static NamedTensors Inputs(long batch, long heads, long length, long dim, bool withWeight, bool withSkip, bool withGate)
    {
        manual_seed(8);
        var inputs = new NamedTensors { ["h"] = randn(batch, heads, length, dim) };
        if (withWeight)
            inputs["weight"] = randn(heads * dim);
        if (withSkip)
            (inputs["skip"], inputs["conv"]) = (randn(heads * dim), randn(batch, length, heads * dim));
        if (withGate)
            inputs["gate"] = randn(batch, length, heads * dim) * 3;
        return inputs;
    }

    [Test]
    public void Kernel_AnyArguments_EqualsFloat64([Values] bool withWeight, [Values] bool withSkip, [Values] bool withGate, [Values("silu", "sigmoid")] string act)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 3, 5, 20, withWeight, withSkip, withGate), new JsonObject { ["offset"] = 1.0, ["gate_act"] = act, ["eps"] = 1e-3 });
    }

    [TestCase(1, 1, 1, 1)]
    [TestCase(1, 4, 65, 64)]
    [TestCase(2, 1, 3, 7)]
    [TestCase(2, 3, 5, 13)]
    [TestCase(0, 2, 3, 4)]
    [TestCase(2, 2, 0, 4)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long heads, long length, long dim)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(batch, heads, length, dim, withWeight: true, withSkip: true, withGate: true), new JsonObject { ["eps"] = 1e-2 });
    }

    [Test]
    public void Invoke_SkipWithoutConv_SaysSo()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 1, 2, 3, withWeight: false, withSkip: true, withGate: false);
        inputs.Remove("conv");
        Assert.That(() => OpCheck.Difference(HeadNorm.Instance, inputs),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("head_norm takes 'skip' and 'conv' together, or neither."));
    }

    [Test]
    public void Invoke_UnknownGate_SaysSo()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => OpCheck.Difference(HeadNorm.Instance, Inputs(1, 1, 2, 3, false, false, true), options: new JsonObject { ["gate_act"] = "relu" }),
            Throws.TypeOf<UserException>().With.Message.EqualTo("The option 'gate_act' is \"relu\"; it must be \"silu\" or \"sigmoid\"."));
    }

    private static void Check(NamedTensors inputs, JsonObject options)
    {
        var (worst, what) = OpCheck.Difference(HeadNorm.Instance, inputs, options: options);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }
}
