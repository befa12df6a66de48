using Zoo.XLstm.Ops.MlstmInputs;
using static TorchSharp.torch;

namespace Zoo.Tests.XLstm;

public sealed class MlstmInputsTests
{
    /// <summary>Measured, in units of a tensor's largest value: 7e-7.</summary>
    private const double Tolerance = 2e-6;

    internal static NamedTensors Inputs(long batch, long length, long blocks, long block, long heads, bool withBias)
    {
        manual_seed(7);
        var width = blocks * block;
        var inputs = new NamedTensors { ["x"] = randn(batch, length, width), ["conv"] = randn(batch, length, width) };
        foreach (var letter in "qkv")
        {
            inputs[$"w{letter}"] = randn(blocks, block, block) / MathF.Sqrt(block);
            if (withBias)
                inputs[$"b{letter}"] = randn(width);
        }
        foreach (var letter in "if")
            (inputs[$"w{letter}"], inputs[$"b{letter}"]) = (randn(heads, 3 * width) / MathF.Sqrt(3 * width), randn(heads));
        return inputs;
    }

    [TestCase(2, 5, 4, 4, 2)]
    [TestCase(1, 33, 16, 4, 4)]
    [TestCase(3, 1, 3, 7, 1)]
    [TestCase(2, 9, 5, 3, 5)]
    [TestCase(1, 4, 10, 1, 2)]
    [TestCase(0, 4, 2, 4, 2)]
    [TestCase(2, 0, 2, 4, 2)]
    [TestCase(2, 65, 24, 4, 2)]     // blocks of four in whole vectors to a head, of any width
    [TestCase(2, 13, 6, 4, 2)]      // in parts of vectors
    [TestCase(0, 4, 8, 4, 2)]
    [TestCase(2, 0, 8, 4, 2)]
    public void Kernel_AnySizes_EqualsFloat64(long batch, long length, long blocks, long block, long heads)
    {
        using var scope = NewDisposeScope();
        foreach (var withBias in new[] { false, true })
        {
            var (worst, what) = OpCheck.Difference(MlstmInputs.Instance, Inputs(batch, length, blocks, block, heads, withBias));
            Assert.That(worst, Is.LessThan(Tolerance), what);
        }
    }

    [TestCase("q")]
    [TestCase("v")]
    [TestCase("f")]
    public void Kernel_OneOutputHasAGradient_EqualsFloat64(string output)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 7, 4, 4, 2, withBias: true);
        string[] wanted = output switch { "q" => ["conv", "wq", "bq"], "v" => ["x", "wv", "bv"], _ => ["x", "conv", "wq", "wk", "wv", "wf", "bf"] };
        var (worst, what) = OpCheck.Difference(MlstmInputs.Instance, inputs, given: [output], wanted: wanted);
        Assert.That(worst, Is.LessThan(Tolerance), what);
    }

    [Test]
    public void Invoke_HeadsDoNotShareTheWidth_SaysSo()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => OpCheck.Difference(MlstmInputs.Instance, Inputs(1, 2, 2, 4, 3, withBias: false)),
            Throws.TypeOf<ShapeException>().With.Message.EqualTo("mlstm_inputs: 8 channels do not come apart into 3 heads ('wi' has a row for each)."));
    }
}
