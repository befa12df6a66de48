using Zoo.Kernels;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>Quantisers against upstream's rules, written once more number by number.</summary>
public sealed class SageQuantizerTests
{
    /// <summary>
    /// One bit of a key's mean moves an integer that lies at a boundary, and recorded integers are exact: the kernel adds in libtorch's order. Lengths beside
    /// sums of 16 and of 256 rows; widths of whole groups of 32, with columns behind, and of a few.
    /// </summary>
    [Test]
    public void CpuKernel_MeanOfKeys_IsLibtorchsBitForBit(
        [Values(1, 2, 15, 16, 17, 150, 256, 300, 4097)] int length, [Values(2, 4, 7, 8, 24, 32, 40, 64, 72, 96, 128)] int dim)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 2, 3, length, dim);
        inputs["k"] = inputs["k"] + 2 * randn(1, 2, 1, dim);
        var options = SageCalls.Options(("return_quantized", true));
        var mean = SageAttentionOp.Instance.Invoke(inputs, options, KernelChoice.Parse("cpu")).Outputs["km"];
        Assert.That(mean.equal(inputs["k"].mean([2], keepdim: true)).all().item<bool>());
    }

    /// <summary>Likewise of a block of queries: upstream's kernel, as it is interpreted, adds one token after the other.</summary>
    [Test]
    public void Invoke_MeanOfQueries_IsTheSumInOrderBitForBit([Values("cpu", "reference")] string backend, [Values(1, 100, 150)] int length, [Values(7, 24, 64)] int dim)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 2, length, 20, dim);
        var mean = SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("smooth_q", true), ("return_quantized", true)), KernelChoice.Parse(backend)).Outputs["qm"];
        var q = inputs["q"].data<float>().ToArray();
        var expected = new float[mean.NumberOfElements];
        for (var i = 0; i < expected.Length; i++)
        {
            var (column, block, head) = (i % dim, i / dim % mean.shape[2], i / dim / mean.shape[2]);
            for (var t = block * 128; t < Math.Min(length, (block + 1) * 128); t++)
                expected[i] += q[(head * length + t) * dim + column];
            expected[i] /= 128;
        }
        Assert.That(mean.data<float>().ToArray(), Is.EqualTo(expected));
    }

    [TestCase("per_block", 128, 32, 64, 64), TestCase("per_block", 64, 16, 128, 128), TestCase("per_warp", 128, 32, 64, 64), TestCase("per_warp", 128, 16, 64, 64)]
    [TestCase("per_thread", 128, 32, 64, 64), TestCase("per_thread", 128, 16, 64, 64), TestCase("per_thread", 64, 16, 128, 128), TestCase("per_token", 128, 32, 64, 64)]
    public void Invoke_AnyGranularity_GivesTheRulesIntegersAndScales(string granularity, int blockQ, int warpQ, int blockK, int warpK)
    {
        using var scope = NewDisposeScope();
        foreach (var length in new[] { 1, 63, 64, 65, 150, 257 })
        {
            foreach (var bits in new[] { 8, 4 })
            {
                var inputs = SageCalls.Inputs(1, 2, 2, length, length, 24);
                inputs["q"][0, 0, length / 2] = 0;
                var options = SageCalls.Options(
                    ("qk_quant_gran", granularity), ("qk_bits", bits), ("BLKQ", blockQ), ("WARPQ", warpQ), ("BLKK", blockK), ("WARPK", warpK), ("smooth_k", false),
                    ("sm_scale", 0.25), ("return_quantized", true));
                var outputs = SageAttentionOp.Instance.Invoke(inputs, options, KernelChoice.Parse("reference")).Outputs;
                var prescale = granularity == "per_block" ? (float)(0.25 * 1.44269504) : 1;
                Func<int, int> ofQuery = granularity switch
                {
                    "per_block" => t => t / blockQ,
                    "per_warp" => t => t / warpQ,
                    "per_thread" => t => t / warpQ * 8 + t % 8,
                    _ => t => t,
                };
                Func<int, int> ofKey = granularity switch
                {
                    "per_thread" => t => t / warpK * 4 + t % 8 / 2,
                    "per_token" => t => t,
                    _ => t => t / blockK,
                };
                var (blocksQ, blocksK) = ((length + blockQ - 1) / blockQ, (length + blockK - 1) / blockK);
                var countQ = granularity switch { "per_block" => blocksQ, "per_warp" => blocksQ * (blockQ / warpQ), "per_thread" => blocksQ * (blockQ / warpQ) * 8, _ => length };
                var countK = granularity switch { "per_thread" => blocksK * (blockK / warpK) * 4, "per_token" => length, _ => blocksK };
                Require("q", outputs["q_int8"], outputs["q_scale"], inputs["q"], prescale, ofQuery, countQ);
                Require("k", outputs["k_int8"], outputs["k_scale"], inputs["k"], 1, ofKey, countK);

                void Require(string name, Tensor integers, Tensor scales, Tensor x, float factor, Func<int, int> group, int count)
                {
                    Assert.That(scales.shape, Is.EqualTo((long[])[1, 2, count]), name);
                    for (var head = 0; head < 2; head++)
                    {
                        var (expected, expectedScales) = ByHand(x[0, head].data<float>().ToArray(), length, 24, factor, group, count, bits, granularity);
                        Assert.That(integers[0, head].flatten().data<sbyte>().ToArray(), Is.EqualTo(expected), $"{name}, {length} tokens, {bits} bits");
                        Assert.That(scales[0, head].data<float>().ToArray(), Is.EqualTo(expectedScales), $"{name}, {length} tokens, {bits} bits");
                    }
                }
            }
        }
    }

    /// <summary>Upstream multiplies sm_scale and log2 e as doubles; a product of floats is another number for most widths of heads.</summary>
    [Test]
    public void Invoke_PerBlock_TakesTheFactorOfDoubles([Values(20, 24, 40, 80, 96)] int dim, [Values("reference", "cpu")] string kernels)
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["q"] = ones(1, 1, 1, dim), ["k"] = ones(1, 1, 1, dim), ["v"] = ones(1, 1, 1, dim) };
        var outputs = SageAttentionOp.Instance.Invoke(
            inputs, SageCalls.Options(("qk_quant_gran", "per_block"), ("return_quantized", true)), KernelChoice.Parse(kernels)).Outputs;
        Assert.That(outputs["q_scale"].item<float>(), Is.EqualTo((float)(1 / Math.Sqrt(dim) * 1.44269504) / 127));
    }

    [Test]
    public void Invoke_SmoothedQueries_HaveMeansOfWholeBlocksWithPaddingAsZeros()
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 1, 150, 40, 16);
        var outputs = SageAttentionOp.Instance.Invoke(
            inputs, SageCalls.Options(("smooth_q", true), ("return_quantized", true)), KernelChoice.Parse("reference")).Outputs;
        var q = inputs["q"].to(ScalarType.Float64);
        var means = stack([q.narrow(2, 0, 128).sum(2) / 128, q.narrow(2, 128, 22).sum(2) / 128], 2);
        var k = inputs["k"].to(ScalarType.Float64);
        TensorAssert.Close(outputs["qm"].to(ScalarType.Float64), means, 1e-6, 0, "qm");
        TensorAssert.Close(outputs["km"].to(ScalarType.Float64), k.mean([2], keepdim: true), 1e-6, 0, "km");
        TensorAssert.Close(
            outputs["delta_s"].to(ScalarType.Float64), einsum("bhmd,bnd->bhmn", means, (k - k.mean([2], keepdim: true))[.., 0]), 1e-5, 0, "delta_s");
    }

    [TestCase(448.0, false), TestCase(2.25, false), TestCase(448.0, true), TestCase(2.25, true)]
    public void Invoke_Fp8Values_HaveAScaleForEachChannel(double most, bool smooth)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 1, 1, 3, 37, 20);
        inputs["v"][.., .., .., 5] = 0;
        inputs["v"] = inputs["v"] + (smooth ? 3 : 0);
        var outputs = SageAttentionOp.Instance.Invoke(
            inputs, SageCalls.Options(("pv", "fp8"), ("v_scale_max", most), ("smooth_v", smooth), ("return_quantized", true)), KernelChoice.Parse("reference")).Outputs;
        for (var d = 0; d < 20; d++)
        {
            var v = inputs["v"][0, 0, .., d].contiguous().data<float>().ToArray();
            var mean = smooth ? (float)(v.Sum(x => (double)x) / 48) : 0;                    // 37 tokens are taken as 48
            var absmax = v.Max(x => Math.Abs(x - mean));
            if (smooth)
                absmax = Math.Max(absmax, Math.Abs(mean));
            Assert.That(outputs["v_scale"][0, 0, d].item<float>(), Is.EqualTo(absmax / most).Within(1e-6 * absmax));
            var got = outputs["v_fp8"][0, 0, .., d].contiguous().data<float>().ToArray();
            for (var t = 0; t < v.Length; t++)
            {
                Assert.That(Grid(16, 3, 7).Contains(Math.Abs(got[t])), Is.True, $"{got[t]} is on the grid of E4M3");
                Assert.That(got[t], Is.EqualTo(absmax == 0 ? 0 : (v[t] - mean) * most / absmax).Within(Math.Max(Math.Abs(got[t]) / 16 * 1.0001, 0.001)), $"{d}, {t}");
            }
            if (smooth)
                Assert.That(outputs["vm"][0, 0, d].item<float>(), Is.EqualTo(mean).Within(1e-6));
        }
    }

    [Test]
    public void Round_EveryNumberAndMidpoint_IsTheNearestOrTheEvenOne()
    {
        using var scope = NewDisposeScope();
        foreach (var (format, grid) in new[] { (Float8.E4M3, Grid(16, 3, 7).Where(x => x <= 448).ToArray()), (Float8.E5M2, Grid(32, 2, 15).Where(x => x <= 57344).ToArray()) })
        {
            Assert.That(Rounded(format, grid), Is.EqualTo(grid));
            var midpoints = grid.Zip(grid.Skip(1), (a, b) => (a + b) / 2).ToArray();
            var even = Enumerable.Range(0, midpoints.Length).Select(i => grid[i + i % 2]).ToArray();      // codes are in order: the even code's number
            Assert.That(Rounded(format, midpoints), Is.EqualTo(even));
            Assert.That(Rounded(format, [.. midpoints.Select(MathF.BitIncrement)]), Is.EqualTo(grid.Skip(1)));
            Assert.That(Rounded(format, [1e9f, float.PositiveInfinity, -1e9f]), Is.EqualTo((float[])[grid[^1], grid[^1], -grid[^1]]));
        }
    }

    private static float[] Rounded(Float8 format, float[] numbers) => format.Round(tensor(numbers)).data<float>().ToArray();

    /// <summary>Numbers of a format that are not negative, by their codes.</summary>
    private static float[] Grid(int exponents, int fractionBits, int bias)
    {
        var fractions = 1 << fractionBits;
        return [.. from code in Enumerable.Range(0, exponents * fractions)
                   let exponent = code / fractions
                   let fraction = (double)(code % fractions) / fractions
                   select (float)(exponent == 0 ? Math.ScaleB(fraction, 1 - bias) : Math.ScaleB(1 + fraction, exponent - bias))];
    }

    private static (sbyte[] Integers, float[] Scales) ByHand(
        float[] x, int length, int dim, float factor, Func<int, int> group, int count, int bits, string granularity)
    {
        float levels = bits == 8 ? 127 : 7;
        var largest = new float[count];
        for (var t = 0; t < length; t++)
        {
            for (var d = 0; d < dim; d++)
                largest[group(t)] = Math.Max(largest[group(t)], Math.Abs(x[t * dim + d] * factor));
        }
        if (granularity == "per_warp")
            largest = [.. largest.Select(m => Math.Max(m, 1e-7f))];
        var scales = largest.Select(m => m / levels + (granularity is "per_thread" or "per_token" ? 1e-7f : 0)).ToArray();
        var integers = new sbyte[length * dim];
        for (var i = 0; i < integers.Length; i++)
        {
            var g = group(i / dim);
            var value = x[i] * factor;
            integers[i] = granularity == "per_warp"
                ? (sbyte)MathF.Round(value * (levels / largest[g]), MidpointRounding.ToEven)
                : scales[g] == 0 ? (sbyte)0 : (sbyte)(value / scales[g] + (value >= 0 ? 0.5f : -0.5f));
        }
        return (integers, scales);
    }
}
