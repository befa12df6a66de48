using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

/// <summary>The cuda kernels, emulated.</summary>
public sealed class TernaryMatmulCudaTests
{
    private static readonly TernaryMatmulOp Op = TernaryMatmulOp.Instance;

    [TestCase(0, 40, 3), TestCase(1, 1, 1), TestCase(1, 513, 9), TestCase(2, 128, 5), TestCase(2, 300, 7), TestCase(3, 129, 17), TestCase(33, 65, 70), TestCase(40, 256, 16)]
    public void Kernel_AnySizes_EqualsFloat64AndTheCpuBitForBit(int tokens, int dim, int rows)
    {
        using var scope = NewDisposeScope();
        manual_seed(tokens + dim + rows);
        var sizes = new Dictionary<string, long> { ["B"] = tokens, ["D"] = dim, ["E"] = rows };
        var inputs = new NamedTensors(Op.Arguments.Select(a => KeyValuePair.Create(a.Name, Op.Sample(a, [.. a.Axes.Select(axis => OpArgument.SizeOf(axis, sizes)!.Value)]))));
        if (tokens > 0 && dim > 1)
            inputs["x"][0, 1] = tensor((sbyte)-128);
        EmulatedOp.Check(Op, inputs, 2e-7);       // the scaling's two roundings: 1e-7

        using var emulation = CudaEmulator.Install();
        var card = Op.Invoke(inputs, OpOptions.None, KernelChoice.Parse("cuda")).Outputs["y"];
        Assert.That(card.equal(Op.Invoke(inputs, OpOptions.None, KernelChoice.Parse("cpu")).Outputs["y"]).all().item<bool>(), Is.True);
    }
}
