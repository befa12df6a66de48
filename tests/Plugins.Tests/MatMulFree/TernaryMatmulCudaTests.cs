using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.BitLinear;
using Zoo.MatMulFree.Ops.PackedBitLinear;
using Zoo.MatMulFree.Ops.TernaryMatmul;
using static TorchSharp.torch;

namespace Zoo.Tests.MatMulFree;

/// <summary>The cuda kernels, emulated.</summary>
public sealed class TernaryMatmulCudaTests
{
    private static readonly TernaryMatmulOp Op = TernaryMatmulOp.Instance;

    [TestCase(0, 40, 3), TestCase(1, 1, 1), TestCase(1, 513, 9), TestCase(2, 128, 5), TestCase(2, 300, 7), TestCase(3, 129, 17), TestCase(33, 65, 70), TestCase(40, 256, 16)]
    [TestCase(4, 1040, 9), TestCase(8, 144, 5), TestCase(9, 144, 5), TestCase(9, 384, 18), TestCase(7, 33, 6)]
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

    /// <summary>The packed layer rounds and multiplies as the unpacked one does: a model gives the same bits with either.</summary>
    [TestCase(0, 40, 3), TestCase(1, 513, 9), TestCase(3, 128, 70), TestCase(8, 33, 5), TestCase(40, 260, 17)]
    public void PackedBitLinear_AnySizes_EqualsFloat64AndBitLinearBitForBit(int tokens, int dim, int rows)
    {
        using var scope = NewDisposeScope();
        EmulatedOp.Require();
        manual_seed(tokens + dim + rows);
        var (x, norm, weight) = (randn(tokens, dim), randn(dim), randn(rows, dim));
        using var emulation = CudaEmulator.Install();
        var cuda = KernelChoice.Parse("cuda");
        var unpacked = BitLinearOp.Instance.Invoke(new() { ["x"] = x, ["norm.weight"] = norm, ["weight"] = weight }, OpOptions.None, cuda).Outputs;
        var (codes, scale) = TernaryPacking.Pack(weight);
        var inputs = new NamedTensors { ["x"] = x, ["norm.weight"] = norm, ["weight"] = codes, ["w_scale"] = scale };
        var packed = PackedBitLinearOp.Instance.Invoke(inputs, OpOptions.None, cuda).Outputs["y"];
        Assert.That(packed.equal(unpacked["y"]).all().item<bool>(), Is.True);
        if (tokens > 1)
        {
            x[1, 0] = tensor(float.NaN);
            var row = PackedBitLinearOp.Instance.Invoke(inputs, OpOptions.None, cuda).Outputs["y"];
            Assert.That(row[1].isnan().all().item<bool>() && row[0].equal(packed[0]).all().item<bool>(), Is.True, "a row that is not finite is NaN, and no other");
        }
    }
}
