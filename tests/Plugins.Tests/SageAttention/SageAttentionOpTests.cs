using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>The op's entry and its reference: recorded cases, accuracy against exact attention, and what it refuses.</summary>
public sealed class SageAttentionOpTests
{
    private static readonly KernelChoice Reference = KernelChoice.Parse("reference");

    [Test]
    public void RunCase_RecordedCase_IsMet([ValueSource(nameof(Cases))] string name, [Values("reference", "cpu")] string kernels)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open("SageAttention", name);
        var result = SageAttentionOp.Instance.RunCase(new OpCase(golden.With("in."), golden.With("out."), golden.Config), KernelChoice.Parse(kernels));
        SageCalls.RequireCase(golden, result);
    }

    [TestCase("cos_sim", 1.0, "cosine similarity"), TestCase("rel_l1", 1e-3, "relative L1 error")]
    public void RunCase_AccuracyOutOfReach_SaysSo(string bar, double value, string words)
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open("SageAttention", "sage-int4-smooth_q-causal");
        var config = golden.Config;
        config["emulated"]![bar] = value;
        var result = SageAttentionOp.Instance.RunCase(new OpCase(golden.With("in."), golden.With("out."), config), Reference);
        Assert.That(result.Problems, Has.Count.EqualTo(1).And.One.Contains(words));
    }

    /// <summary>INT8 keeps 99.9 % of cosine whatever the granularity, and INT4 with both smoothings 97 %: measured 0.9741 at worst.</summary>
    [Test, Combinatorial]
    public void Invoke_AnyGranularityLengthAndDim_IsNearExactAttention(
        [Values("per_thread", "per_warp", "per_block", "per_token", "per_tensor")] string granularity, [Values] bool causal, [Values(1, 65, 200)] int length,
        [Values(16, 80)] int dim)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(2, 4, 2, length, length + 3, dim);
        foreach (var (bits, bar) in new[] { (8, 0.999), (4, 0.97) })
        {
            var options = SageCalls.Options(
                ("is_causal", causal), ("qk_quant_gran", granularity), ("qk_bits", bits), ("smooth_q", bits == 4), ("smooth_v", causal), ("pv", "fp16"));
            var o = SageAttentionOp.Instance.Invoke(inputs, options, Reference).Outputs["o"];
            var accuracy = Accuracy.Of(o, SageCalls.Exact(inputs, causal));
            TestContext.Out.WriteLine($"INT{bits}: {accuracy}");
            Assert.That(accuracy.Cosine, Is.GreaterThan(bar), $"INT{bits}: {accuracy}");
        }
    }

    [Test]
    public void Invoke_CoarserSecondProduct_LosesAccuracyInTheFormatsOrder()
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 2, 100, 700, 64);
        var exact = SageCalls.Exact(inputs, causal: false);
        double Error(string product) => Accuracy.Of(
            SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("pv", product)), Reference).Outputs["o"], exact).RelativeL1;
        var (fp32, fp16, bf16, e4m3, e5m2) = (Error("fp32"), Error("fp16"), Error("bf16"), Error("fp8"), Error("e5m2"));
        Assert.That(fp16, Is.EqualTo(fp32).Within(3e-4));
        Assert.That(bf16, Is.LessThan(e4m3));
        Assert.That(e4m3, Is.LessThan(e5m2));
        Assert.That(Error("int8"), Is.GreaterThan(fp16));
        Assert.That(Error("auto"), Is.EqualTo(fp32));
    }

    [Test]
    public void Invoke_FewBitsOfSum_CostAccuracyAndFlushingSavesIt()
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 1, 1, 64, 2000, 64);
        inputs["v"] = inputs["v"] + 4;
        var wide = SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("pv", "fp8")), Reference).Outputs["o"];
        double Shift(string accumulator) => Accuracy.Of(
            SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("pv", "fp8"), ("pv_accum", accumulator)), Reference).Outputs["o"], wide).RelativeL1;
        Assert.That(Shift("fp22"), Is.GreaterThan(4 * Shift("fp22+fp32")));
        Assert.That(Shift("fp22+fp32"), Is.GreaterThan(0));
    }

    [Test]
    public void Invoke_QueriesBeforeTheFirstKey_AreZeroAndTheOthersAsWithoutThem([Values] bool smoothV)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 1, 9, 4, 32);
        var options = SageCalls.Options(("is_causal", true), ("smooth_v", smoothV), ("qk_quant_gran", "per_token"));
        var o = SageAttentionOp.Instance.Invoke(inputs, options, Reference).Outputs["o"];
        Assert.That(o.narrow(2, 0, 5).abs().max().item<float>(), Is.Zero);
        inputs["q"] = inputs["q"].narrow(2, 5, 4);
        var without = SageAttentionOp.Instance.Invoke(inputs, options, Reference).Outputs["o"];
        TensorAssert.Close(o.narrow(2, 5, 4), without, 1e-6, 0, "o");
    }

    [TestCase(9, 4), TestCase(4, 9)]
    public void RunCase_CausalWithOtherLengths_ComparesWithExactAttention(int queries, int keys)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 4, 2, queries, keys, 32);
        var expected = new NamedTensors { ["o"] = SageCalls.Exact(inputs, causal: true, scale: 0.3) };
        var config = JsonNode.Parse("""{"is_causal": true, "sm_scale": 0.3, "emulated": {"cos_sim": 0.9995, "rel_l1": 0.02}, "source": "anything"}""")!.AsObject();
        var result = SageAttentionOp.Instance.RunCase(new OpCase(inputs, expected, config), Reference);
        Assert.That(result.Problems, Is.Empty);
        TensorAssert.Close(result.Outputs["o"].to(ScalarType.Float64), expected["o"], 1e-6, 0, "o");
    }

    [TestCase("absmax/127", "add 0.5*sign then truncate (half away from zero)", ScaleRule.Plain, false)]
    [TestCase("absmax/7 + 1e-7", "half away from zero", ScaleRule.AddedEpsilon, false)]
    [TestCase("max(absmax, 1e-7)/127", "half to even", ScaleRule.Floored, true)]
    [TestCase("max(absmax,1e-7)/127, x*(127/absmax)", "rint", ScaleRule.Floored, true)]
    public void Of_RulesInWords_AreUnderstood(string scale, string rounding, object rule, bool even)
    {
        var settings = SageSettings.Of(SageCalls.Options(("scale_rule", scale), ("rounding", rounding)), 64);
        Assert.That(settings.Rule, Is.EqualTo(new QuantizationRule(8, (ScaleRule)rule, even)));
    }

    [Test]
    public void Invoke_NothingToDo_GivesEmptyOrZero()
    {
        using var scope = NewDisposeScope();
        var options = SageCalls.Options(("smooth_q", true), ("smooth_v", true), ("pv", "fp8"), ("return_quantized", true));
        Assert.That(Run(0, 3, 3).shape, Is.EqualTo((long[])[0, 2, 3, 16]));
        Assert.That(Run(1, 0, 3).shape, Is.EqualTo((long[])[1, 2, 0, 16]));
        Assert.That(Run(1, 3, 0).abs().max().item<float>(), Is.Zero);

        Tensor Run(long batch, long queries, long keys) =>
            SageAttentionOp.Instance.Invoke(SageCalls.Inputs(batch, 2, 1, queries, keys, 16), options, Reference).Outputs["o"];
    }

    [Test]
    public void Invoke_HalfPrecision_GivesTheSameTypeAndNearlyTheSame([Values(ScalarType.Float16, ScalarType.BFloat16)] ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors(SageCalls.Inputs(1, 2, 1, 20, 30, 64).Select(i => KeyValuePair.Create(i.Key, i.Value.to(dtype))));
        var outputs = SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("return_quantized", true)), Reference).Outputs;
        Assert.That(outputs["o"].dtype, Is.EqualTo(dtype));
        Assert.That(outputs["q_scale"].dtype, Is.EqualTo(ScalarType.Float32));
        Assert.That(Accuracy.Of(outputs["o"], SageCalls.Exact(inputs, causal: false)).Cosine, Is.GreaterThan(0.999));
        inputs["k"] = inputs["k"].to(ScalarType.Float32);
        Assert.That(() => SageAttentionOp.Instance.Invoke(inputs, OpOptions.None, Reference), Throws.TypeOf<ShapeException>().With.Message.Contains("one type"));
    }

    [Test]
    public void Invoke_NotANumber_IsNotHidden([Values("q", "k", "v")] string name)
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 1, 1, 10, 10, 16);
        inputs[name][0, 0, 3, 2] = float.NaN;
        foreach (var product in new[] { "fp16", "fp8" })
        {
            var o = SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("pv", product)), Reference).Outputs["o"];
            Assert.That(o.isnan().any().item<bool>(), Is.True, product);
        }
    }

    [Test]
    public void Invoke_WhatItCannotDo_IsRefusedInWords()
    {
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 4, 2, 3, 3, 16);
        Refused<ShapeException>(new(inputs) { ["mask"] = zeros(3, 3) }, OpOptions.None, "no argument 'mask'");
        Refused<ShapeException>(new(inputs) { ["q"] = inputs["q"].clone().requires_grad_() }, OpOptions.None, "no gradient of 'q'");
        Refused<ShapeException>(SageCalls.Inputs(1, 1, 1, 3, 3, 129), OpOptions.None, "129 dimensions");
        Refused<ShapeException>(SageCalls.Inputs(1, 3, 2, 3, 3, 16), OpOptions.None, "3 heads and 'k' 2");
        Refused<UserException>(inputs, SageCalls.Options(("qk_bits", 2)), "'qk_bits' is 2");
        Refused<UserException>(inputs, SageCalls.Options(("qk_quant_gran", "per_row")), "'qk_quant_gran' is per_row");
        Refused<UserException>(inputs, SageCalls.Options(("pv", "fp4")), "'pv' is fp4");
        Refused<UserException>(inputs, SageCalls.Options(("WARPQ", 48)), "'BLKQ' is 128 and 'WARPQ' 48");
        Refused<UserException>(inputs, SageCalls.Options(("WARPQ", 4)), "multiples of 8");
        Refused<UserException>(inputs, SageCalls.Options(("BLKK", 0)), "'BLKK' is 0");
        Refused<UserException>(inputs, SageCalls.Options(("tensor_layout", "NHD")), "'tensor_layout' is NHD");
        Refused<UserException>(inputs, SageCalls.Options(("scale_rule", "l2")), "'scale_rule' is l2");
        Refused<UserException>(inputs, SageCalls.Options(("rounding", "stochastic")), "'rounding' is stochastic");
        Refused<UserException>(inputs, SageCalls.Options(("q_prescale", "2")), "'q_prescale' is 2");
        Refused<UserException>(inputs, SageCalls.Options(("v_scale_max", 500)), "'v_scale_max' is 500");
        Refused<UserException>(inputs, SageCalls.Options(("is_causal", "yes")), "'is_causal' is");

        static void Refused<T>(NamedTensors inputs, OpOptions options, string words)
            where T : Exception =>
            Assert.That(() => SageAttentionOp.Instance.Invoke(inputs, options, Reference), Throws.InstanceOf<T>().With.Message.Contains(words));
    }

    private static IEnumerable<string> Cases() =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "plugins", "SageAttention", "golden"), "sage-*.safetensors").Select(f => Path.GetFileNameWithoutExtension(f)!);
}
