using Zoo.CudaEmulation;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

/// <summary>The cuda kernels of the norms, gelu, swiglu, rope, attention and cross_entropy, emulated.</summary>
public sealed class TransformerCudaTests
{
    [Test]
    public void Norm_AnyLengthAndDim_EqualsFloat64(
        [Values("rms_norm", "layer_norm")] string name, [Values(0, 1, 17, 65)] int length, [Values(1, 33, 300)] int dim, [Values] bool everything)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["x"] = randn(2, length, dim) };
        if (everything)
        {
            inputs["weight"] = randn(dim);
            inputs["residual"] = randn(2, length, dim);
            if (name == "layer_norm")
                inputs["bias"] = randn(dim);
        }
        EmulatedOp.Check(CommonOps.All.Single(op => op.Name == name), inputs, 4e-6);
    }

    [Test]
    public void Norm_513RowsOrSomeGradients_EqualsFloat64([Values("rms_norm", "layer_norm")] string name, [Values("y", "sum")] string unused)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var op = CommonOps.All.Single(op => op.Name == name);
        var inputs = new NamedTensors { ["x"] = randn(1, 513, 7), ["weight"] = randn(7), ["residual"] = randn(1, 513, 7) };
        EmulatedOp.Check(op, inputs, 4e-6, wanted: ["residual"], unused: [unused]);
        EmulatedOp.Check(op, inputs, 4e-6, unused: unused == "sum" ? ["sum"] : []);
    }

    [Test]
    public void Gelu_AnyLength_EqualsFloat64([Values("none", "tanh")] string approximate, [Values(0, 1, 17, 64, 65, 513)] int count)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        EmulatedOp.Check(Gelu.Instance, new() { ["x"] = randn(1, 1, count) * 4 }, 5e-7, new(new() { ["approximate"] = approximate }));
    }

    [Test]
    public void SwiGlu_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int count, [Range(0, 3)] int subset)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        string[] wanted = [.. new[] { "gate", "up" }.Where((_, i) => (subset >> i & 1) == 1)];
        EmulatedOp.Check(SwiGlu.Instance, new() { ["gate"] = randn(1, 1, count) * 5, ["up"] = randn(1, 1, count) }, 8e-7, wanted: wanted);
    }

    [Test]
    public void Rope_AnyLength_EqualsFloat64([Values(0, 1, 17, 64, 65, 513)] int length, [Values(2, 10)] int dim)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var angles = rand(length, dim / 2) * 6;
        EmulatedOp.Check(Rope.Instance, new() { ["x"] = randn(2, length, 3, dim), ["cos"] = angles.cos(), ["sin"] = angles.sin() }, 5e-7);
    }

    [TestCase(0, 0, 2, 2, 8, true), TestCase(1, 1, 2, 2, 8, true), TestCase(17, 17, 2, 1, 8, true), TestCase(64, 64, 1, 1, 6, true)]
    [TestCase(65, 65, 2, 1, 5, true), TestCase(65, 65, 1, 1, 8, false), TestCase(5, 70, 2, 2, 8, true), TestCase(33, 40, 4, 2, 33, true)]
    [TestCase(3, 3, 1, 1, 128, true), TestCase(513, 513, 1, 1, 2, true), TestCase(70, 140, 2, 1, 64, true), TestCase(131, 131, 1, 1, 100, false)]
    public void Attention_AnyLength_EqualsFloat64(int queries, int keys, int heads, int keyHeads, int dim, bool causal)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["q"] = randn(1, queries, heads, dim), ["k"] = randn(1, keys, keyHeads, dim), ["v"] = randn(1, keys, keyHeads, dim) };
        EmulatedOp.Check(Attention.Instance, inputs, 8e-7, new(new() { ["causal"] = causal }));
    }

    [TestCase("q"), TestCase("k"), TestCase("v")]
    public void Attention_OneGradientOnly_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var inputs = new NamedTensors { ["q"] = randn(2, 19, 2, 8), ["k"] = randn(2, 19, 1, 8), ["v"] = randn(2, 19, 1, 8) };
        EmulatedOp.Check(Attention.Instance, inputs, 8e-7, wanted: [wanted]);
    }

    [TestCase(1, 1, 1, false), TestCase(17, 5, 7, true), TestCase(33, 33, 65, true), TestCase(65, 3, 40, false), TestCase(513, 2, 3, true)]
    [TestCase(2, 3, 6150, true)]   // two chunks
    [TestCase(300, 20, 1100, true), TestCase(260, 9, 1030, false)]   // large tiles, copied 16 bytes at a time or 4
    public void CrossEntropy_AnySize_EqualsFloat64(int rows, int dim, int vocabulary, bool bias)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(CrossEntropy.Instance, Heads(rows, dim, vocabulary, bias), 5e-7);
    }

    [TestCase("hidden"), TestCase("weight"), TestCase("bias")]
    public void CrossEntropy_OneGradientOnly_IsThat(string wanted)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Check(CrossEntropy.Instance, Heads(9, 5, 7, bias: true), 5e-7, wanted: [wanted]);
    }

    private static NamedTensors Heads(int rows, int dim, int vocabulary, bool bias)
    {
        manual_seed(1);
        var inputs = new NamedTensors { ["hidden"] = randn(rows, dim), ["weight"] = randn(vocabulary, dim), ["targets"] = randint(vocabulary, [rows], int64) };
        if (bias)
            inputs["bias"] = randn(vocabulary);
        return inputs;
    }
}
