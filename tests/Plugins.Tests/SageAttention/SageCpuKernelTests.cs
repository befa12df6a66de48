using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.Tests.Sage;

/// <summary>The cpu backend of quantised attention: its integers are the reference's, and what it makes of them is close to what float64 does.</summary>
public sealed class SageCpuKernelTests
{
    // Weights are cut to 12 or 13 bits of the largest in a tile and values to 12 of the largest in a channel: 3.3e-4 of the largest output measured.
    private const double Tolerance = 6e-4;

    [Test]
    public void Kernel_AnyLengthAndDim_IsTheReferenceOnItsIntegers(
        [Values(1, 5, 64, 65, 131)] int length, [Values(1, 7, 16, 33, 64)] int dim, [Values] bool causal)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 2, length, length, dim), new() { ["is_causal"] = causal });
    }

    [Test]
    public void Kernel_513By128_IsTheReferenceOnItsIntegers([Values] bool causal)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 1, 513, 513, 128), new() { ["is_causal"] = causal });
    }

    [TestCase(3, 70), TestCase(70, 3), TestCase(1, 130), TestCase(97, 1), TestCase(130, 64), TestCase(200, 257)]
    public void Kernel_LengthsDiffer_IsTheReferenceOnItsIntegers(int queries, int keys)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(2, 4, 2, queries, keys, 24), new() { ["is_causal"] = true });
        Check(Inputs(2, 4, 2, queries, keys, 24), []);
    }

    [Test]
    public void Kernel_EverySetting_IsTheReferenceOnItsIntegers(
        [Values("per_thread", "per_warp", "per_block", "per_token")] string granularity, [Values(4, 8)] int bits, [Values] bool smoothK, [Values] bool smoothQ,
        [Values("auto", "fp8")] string values)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 4, 2, 150, 170, 32);
        inputs["k"].add_(randn(1, 2, 1, 32) * 2);
        inputs["q"].add_(randn(1, 4, 1, 32));
        Check(inputs, new()
        {
            ["is_causal"] = true,
            ["qk_quant_gran"] = granularity,
            ["qk_bits"] = bits,
            ["smooth_k"] = smoothK,
            ["smooth_q"] = smoothQ,
            ["smooth_v"] = smoothQ,
            ["pv"] = values,
            ["BLKQ"] = granularity == "per_warp" ? 64 : 128,
        });
    }

    [TestCase("""{"scale_rule": "max(absmax, 1e-7)/127", "rounding": "half to even"}""")]
    [TestCase("""{"scale_rule": "absmax/127", "rounding": "half away from zero"}""")]
    [TestCase("""{"WARPQ": 16, "BLKQ": 64, "BLKK": 128, "WARPK": 128}""")]
    [TestCase("""{"q_prescale": "sm_scale*1.44269504"}""")]
    [TestCase("""{"sm_scale": -0.3}""")]
    [TestCase("""{"sm_scale": -0.3, "smooth_q": true}""")]
    [TestCase("""{"sm_scale": 0}""")]
    [TestCase("""{"pv": "fp8", "v_scale_max": 2.25, "smooth_v": true}""")]
    public void Kernel_Option_IsTheReferenceOnItsIntegers(string options)
    {
        using var scope = NewDisposeScope();
        Check(Inputs(1, 2, 2, 133, 133, 48), (JsonObject)JsonNode.Parse(options)!);
    }

    [Test]
    public void Kernel_Zeros_AreTheMeanOfTheValues()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 2, 70, 70, 16);
        inputs["q"].zero_();
        Check(inputs, new() { ["qk_quant_gran"] = "per_block" });
        Check(inputs, new() { ["is_causal"] = true, ["qk_quant_gran"] = "per_block" });
        inputs["k"].zero_();
        inputs["v"].zero_();
        Check(inputs, new() { ["qk_quant_gran"] = "per_block" });
    }

    // Scores of size 10^7: softmax is one-hot; of 300 bits between two keys nothing is left.
    [TestCase(1e2f), TestCase(1e4f), TestCase(1e7f)]
    public void Kernel_ExtremeScores_IsTheReferenceOnItsIntegers(float size)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 2, 130, 130, 32);
        inputs["q"].mul_(size);
        Check(inputs, new() { ["is_causal"] = true }, tolerance: size > 1e6f ? 2e-3 : Tolerance);
    }

    [Test]
    public void Kernel_LargestScoreGrowsFromTileToTile_IsTheReferenceOnItsIntegers()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 1, 1, 20, 640, 16);
        var rise = arange(640, float32).reshape(1, 1, 640, 1);
        inputs["k"] = inputs["k"] + rise * 0.5f;
        inputs["q"].abs_();
        Check(inputs, new() { ["smooth_k"] = false });
        inputs["k"] = inputs["k"].flip(2).contiguous();
        Check(inputs, new() { ["smooth_k"] = false });
    }

    // A row's weights may all be tiny beside the largest, in another tile: 4,032 of 2^-13, which so many bits for the whole row would lose (0.29).
    // The 63 in its own tile are lost: 0.0033.
    [Test]
    public void Kernel_ManySmallWeightsBesideALargeOne_AreNotLost()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["q"] = ones(1, 1, 1, 16), ["k"] = zeros(1, 1, 4096, 16), ["v"] = zeros(1, 1, 4096, 16) };
        inputs["k"][0, 0, 0] = full(16, 2.3f);
        inputs["v"][0, 0, 0] = ones(16);
        var o = SageAttentionOp.Instance.Invoke(inputs, OpOptions.None, KernelChoice.Parse("cpu")).Outputs["o"][0, 0, 0, 0].item<float>();
        Assert.That(o, Is.EqualTo(1 / (1 + 4095 * Math.Exp(-2.3 * 4))).Within(5e-3));
    }

    [TestCase("q"), TestCase("k"), TestCase("v")]
    public void Kernel_NotANumber_IsSeen(string name)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 1, 1, 130, 130, 33);
        inputs[name][0, 0, 128, 32] = tensor(float.NaN);
        foreach (var smooths in new[] { true, false })
        {
            var options = new OpOptions(new() { ["is_causal"] = true, ["smooth_k"] = smooths });
            var o = SageAttentionOp.Instance.Invoke(inputs, options, KernelChoice.Parse("cpu")).Outputs["o"];
            Assert.That(o[0, 0, 129, 32].isnan().item<bool>() || name == "q", Is.True, "a later query sees it");
            Assert.That(o[0, 0, 128, 32].isnan().item<bool>(), Is.True);
        }
    }

    [Test]
    public void Invoke_QueriesBeforeTheFirstKeyAndNoKeys_AreZero()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 2, 2, 80, 10, 16);
        var o = SageAttentionOp.Instance.Invoke(inputs, new OpOptions(new() { ["is_causal"] = true }), KernelChoice.Parse("cpu")).Outputs["o"];
        Assert.That(o.narrow(2, 0, 70).eq(0).all().item<bool>(), Is.True);
        Check(Inputs(1, 2, 2, 5, 0, 16), []);
    }

    [Test]
    public void Kernel_TwoThreads_SameBits()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(2, 4, 2, 300, 300, 16);
        var one = Run(inputs, new() { ["is_causal"] = true });
        try
        {
            WorkShare.Threads = 2;
            var two = Run(inputs, new() { ["is_causal"] = true });
            foreach (var key in one.Keys)
                Assert.That(two[key].Equals(one[key]), Is.True, key);
        }
        finally
        {
            WorkShare.Threads = 1;
        }
    }

    // Scores as products of bytes: by AVX-VNNI's instruction where the processor has it, elsewhere by what stands in for it. Whole numbers, so the same bits.
    [Test]
    public void Kernel_ScoresOfBytes_SameBitsAsOfInt16([Values(1, 2, 3, 5, 16, 33, 64, 128)] int dim, [Values] bool causal)
    {
        using var scope = NewDisposeScope();
        RequireSameBits(Inputs(2, 4, 2, 131, 150, dim), new() { ["is_causal"] = causal });
    }

    [TestCase("""{"qk_bits": 4, "smooth_q": true}""")]
    [TestCase("""{"smooth_k": false, "qk_quant_gran": "per_token"}""")]
    [TestCase("""{"sm_scale": -0.3}""")]
    [TestCase("""{"qk_quant_gran": "per_block", "BLKK": 128, "pv": "fp8", "smooth_v": true}""")]
    public void Kernel_ScoresOfBytesWithOption_SameBitsAsOfInt16(string options)
    {
        using var scope = NewDisposeScope();
        RequireSameBits(Inputs(1, 4, 2, 1100, 1030, 40), (JsonObject)JsonNode.Parse(options)!);
    }

    // 255 · 127 · 128: what four bytes and a whole head may come to, where 16 bits between would saturate.
    [TestCase(1), TestCase(-1)]
    public void Kernel_ScoresOfTheLargestBytes_SameBitsAsOfInt16(int sign)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(1, 1, 1, 70, 70, 128);
        inputs["q"] = inputs["q"].sign() * sign;
        inputs["k"] = inputs["q"].clone();
        RequireSameBits(inputs, new() { ["smooth_k"] = false });
    }

    [TestCase("""{"pv": "fp32"}""", "sage_attention cannot run on 'cpu': its second product is of 16-bit integers: 'pv' must be auto, fp16 or bf16, for which they stand, or fp8 for values that are FP8 numbers.")]
    [TestCase("""{"qk_quant_gran": "per_block", "BLKK": 48}""",
        "sage_attention cannot run on 'cpu': tokens share scales in tiles of 128 queries and 48 keys; both must divide 1024, and queries' 128 where they are smoothed.")]
    public void Invoke_WhatTheKernelHasNot_SaysSo(string options, string message)
    {
        using var scope = NewDisposeScope();
        var given = new OpOptions((JsonObject)JsonNode.Parse(options)!);
        Assert.That(() => SageAttentionOp.Instance.Invoke(Inputs(1, 1, 1, 4, 4, 8), given, KernelChoice.Parse("cpu")),
            Throws.TypeOf<BackendRejectedException>().With.Message.Contains(message));
        Assert.That(SageAttentionOp.Instance.Invoke(Inputs(1, 1, 1, 4, 4, 8), given, KernelChoice.Auto).Backend, Is.EqualTo("reference"));
    }

    private static NamedTensors Inputs(long batch, long heads, long keyHeads, long queries, long keys, long dim)
    {
        manual_seed(1);
        return new()
        {
            ["q"] = randn(batch, heads, queries, dim),
            ["k"] = randn(batch, keyHeads, keys, dim),
            ["v"] = randn(batch, keyHeads, keys, dim),
        };
    }

    /// <summary>The kernel's outputs, on memory that held something else.</summary>
    private static NamedTensors Run(NamedTensors inputs, JsonObject options) =>
        Run(inputs, options, (SageAttentionCpu)SageAttentionOp.Instance.Kernels.Single(k => k.Backend == KernelChoice.Cpu));

    private static NamedTensors Run(NamedTensors inputs, JsonObject options, SageAttentionCpu kernel)
    {
        var op = SageAttentionOp.Instance;
        var all = new OpOptions(new JsonObject(options.Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))) { ["return_quantized"] = true });
        var shapes = op.Invoke(inputs, all, KernelChoice.Parse("reference")).Outputs;
        var arrays = new KernelArrays();
        var results = new NamedTensors();
        foreach (var (name, tensor) in inputs)
            arrays.Add(name, KernelArray.Of(tensor));
        foreach (var (name, tensor) in shapes)
        {
            results[name] = tensor.is_floating_point() ? full(tensor.shape, float.NaN) : full(tensor.shape, 99, tensor.dtype);
            arrays.Add(name, KernelArray.Of(results[name]));
        }
        kernel.Forward(op.Describe(inputs, all), arrays);
        return results;
    }

    private static void RequireSameBits(NamedTensors inputs, JsonObject options)
    {
        var pairs = Run(inputs, options, new SageAttentionCpu { MultipliesBytes = false });
        var bytes = Run(inputs, options, new SageAttentionCpu { MultipliesBytes = true });
        Assert.That(pairs["o"].isfinite().all().item<bool>(), Is.True);
        foreach (var key in pairs.Keys)
            Assert.That(bytes[key].Equals(pairs[key]), Is.True, key);
    }

    private static void Check(NamedTensors inputs, JsonObject options, double tolerance = Tolerance)
    {
        var op = SageAttentionOp.Instance;
        var all = new OpOptions(new JsonObject(options.Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))) { ["return_quantized"] = true });
        var expected = op.Invoke(inputs, all, KernelChoice.Parse("reference")).Outputs;
        // Weights to FP8 is what the kernel has no need of: the reference with those values and exact weights.
        if (options["pv"]?.ToString() == "fp8")
        {
            var exact = new OpOptions(new JsonObject(options.Where(o => o.Key is not ("pv" or "smooth_v")).Select(o => KeyValuePair.Create(o.Key, o.Value?.DeepClone()))));
            var values = expected["v_fp8"] * expected["v_scale"].unsqueeze(2);
            if (expected.Find("vm") is { } mean)
                values += mean.unsqueeze(2);
            expected["o"] = op.Invoke(new() { ["q"] = inputs["q"], ["k"] = inputs["k"], ["v"] = values }, exact, KernelChoice.Parse("reference")).Outputs["o"];
        }
        var actual = Run(inputs, options);
        foreach (var name in actual.Keys)
        {
            var (one, other) = (actual[name], expected[name]);
            if (one.numel() == 0)
                continue;
            if (one.dtype == ScalarType.Int8)
            {
                // The mean's last bit may be another's, and move a number over a boundary.
                var differences = (one.to(int32) - other.to(int32)).abs();
                Assert.That(differences.max().item<int>(), Is.LessThanOrEqualTo(1), name);
                Assert.That(differences.sum().item<long>(), Is.LessThanOrEqualTo(one.numel() / 2000 + 1), name);
                continue;
            }
            var size = Math.Max(name == "o" && inputs["v"].numel() > 0 ? inputs["v"].abs().max().item<float>() : 0, other.abs().max().item<float>());
            var error = (one - other).abs().nan_to_num(double.PositiveInfinity).max().item<float>() / Math.Max(size, 1e-9);
            TestContext.Out.WriteLine($"{error:E1} {name}");
            Assert.That(error, Is.LessThan(name == "o" ? tolerance : 3e-6), name);
        }
    }
}
