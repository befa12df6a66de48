using Zoo.CudaEmulation;
using Zoo.Kernels;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.Tests.SageAttention;

/// <summary>The cuda kernels of quantised attention, emulated: integers and scales those of the reference, results near them.</summary>
public sealed class SageCudaTests
{
    /// <summary>
    /// Of the largest value, between the emulated kernel and the reference with the same second product: what weights rounded from an unnormalised running
    /// maximum differ by. Measured: 1.1e-4 (fp16), 2.2e-3 (bf16), 3.6e-2 (FP8).
    /// </summary>
    private static readonly Dictionary<string, double> Tolerances = new(StringComparer.Ordinal) { ["fp16"] = 2e-4, ["bf16"] = 4e-3, ["fp8"] = 5e-2 };

    private static IEnumerable<string> Cases() =>
        EmulatedOp.GoldenCases("sage_attention_reference", Repository.Root, plugin: "SageAttention");

    [TestCaseSource(nameof(Cases))]
    public void Kernel_RecordedCase_IsMet(string path)
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open(path);
        using var emulation = CudaEmulator.Install(90, CudaSchedule.Ascending);
        var recorded = new OpCase(golden.With("in."), golden.With("out."), golden.Config);
        SageCalls.RequireCase(golden, SageAttentionOp.Instance.RunCase(recorded, KernelChoice.Parse("cuda")));
    }

    [TestCase(1, 1, 64, "per_thread", "fp8"), TestCase(130, 65, 64, "per_thread", "fp8"), TestCase(40, 130, 80, "per_warp", "fp8")]
    [TestCase(33, 64, 20, "per_block", "fp16"), TestCase(129, 129, 128, "per_thread", "fp16"), TestCase(17, 70, 64, "per_token", "bf16")]
    [TestCase(20, 9, 128, "per_tensor", "bf16"), TestCase(65, 257, 16, "per_thread", "bf16"), TestCase(130, 70, 64, "per_block", "fp8")]
    public void Kernel_AnySize_IsTheReference(int queries, int keys, int dim, string granularity, string product)
    {
        foreach (var (causal, smooth, bits) in new[] { (false, false, 8), (true, true, 4) })
        {
            Check(queries, keys, dim, product, product == "fp8" ? 90 : 80,
                ("is_causal", causal), ("smooth_k", smooth || bits == 8), ("smooth_q", smooth), ("smooth_v", smooth), ("qk_bits", bits), ("qk_quant_gran", granularity),
                ("pv", product));
        }
    }

    /// <summary>More tiles than a ring has stages. Of so many keys one may lie on the edge between two integers, where the mean's last bit decides.</summary>
    [TestCase(70, 900, 64), TestCase(40, 700, 128)]
    public void Kernel_ManyTiles_IsTheReference(int queries, int keys, int dim) =>
        Check(queries, keys, dim, "fp8", 90, ("is_causal", true), ("pv", "fp8"), ("return_quantized", false));

    [TestCase(80, "bf16"), TestCase(90, "fp8")]
    public void Kernel_AutomaticSecondProduct_IsTheCardsBest(int architecture, string like)
    {
        Check(20, 70, 32, like, architecture, ("is_causal", true));
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install(80, CudaSchedule.Ascending);
        var inputs = SageCalls.Inputs(1, 1, 1, 4, 4, 16);
        foreach (var product in new[] { "fp8", "fp32", "int8" })
        {
            Assert.That(() => SageAttentionOp.Instance.Invoke(inputs, SageCalls.Options(("pv", product)), KernelChoice.Parse("cuda")),
                Throws.TypeOf<BackendRejectedException>().With.Message.Contains("'pv'"));
        }
    }

    [Test]
    public void Kernel_NothingToSee_IsZero()
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        using var emulation = CudaEmulator.Install(90, CudaSchedule.Ascending);
        foreach (var (queries, keys) in new[] { (3, 0), (0, 3) })
        {
            var o = SageAttentionOp.Instance.Invoke(
                SageCalls.Inputs(1, 2, 1, queries, keys, 16), SageCalls.Options(("pv", "fp8"), ("return_quantized", true)), KernelChoice.Parse("cuda")).Outputs["o"];
            Assert.That(o.shape, Is.EqualTo((long[])[1, 2, queries, 16]));
            Assert.That(o.abs().sum().item<float>(), Is.Zero);
        }
    }

    /// <summary>On two orders of threads with the same bits; integers exact, scales and means to 1e-5.</summary>
    private static void Check(int queries, int keys, int dim, string like, int architecture, params (string Name, System.Text.Json.Nodes.JsonNode Value)[] options)
    {
        EmulatedOp.Require();
        using var scope = NewDisposeScope();
        var inputs = SageCalls.Inputs(1, 2, 1, queries, keys, dim);
        var all = SageCalls.Options(options.Any(o => o.Name == "return_quantized") ? options : [.. options, ("return_quantized", true)]);
        var expected = SageAttentionOp.Instance.Invoke(inputs, all, KernelChoice.Parse("reference")).Outputs;
        NamedTensors? before = null;
        foreach (var schedule in EmulatedOp.Schedules)
        {
            using var emulation = CudaEmulator.Install(architecture, schedule);
            var outputs = SageAttentionOp.Instance.Invoke(inputs, all, KernelChoice.Parse("cuda")).Outputs;
            Assert.That(outputs.Keys, Is.EquivalentTo(expected.Keys));
            foreach (var (name, tensor) in outputs)
            {
                var largest = Math.Max(1e-3, expected[name].to(ScalarType.Float64).abs().max().item<double>());
                var difference = (tensor.to(ScalarType.Float64) - expected[name].to(ScalarType.Float64)).abs().nan_to_num(double.PositiveInfinity).max().item<double>() / largest;
                TestContext.Out.WriteLine($"{name}: {difference:E1}");
                Assert.That(difference, Is.LessThanOrEqualTo(name == "o" ? Tolerances[like] : tensor.is_floating_point() ? 1e-5 : 0), name);
                if (before is not null)
                    Assert.That(tensor.eq(before[name]).all().item<bool>(), Is.True, $"{name} depends on the order in which threads run");
            }
            before = outputs;
        }
    }
}
