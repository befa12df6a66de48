using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Kernels;
using Zoo.SageAttention;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Sage;

/// <summary>The Transformer with quantised attention and a quantised cache: what holds exactly for the exact ones holds within the quantisation.</summary>
public sealed class QuantizedTransformerTests
{
    private static readonly TransformerArchitecture Architecture = new();

    /// <summary>With the relative L1 difference of hidden states that is allowed: about twice what was measured.</summary>
    private static IEnumerable<TestCaseData> Settings()
    {
        foreach (var form in new TransformerConfig[] { NanoGptConfig.Tiny, LlamaConfig.Tiny, LlamaConfig.Tiny with { HeadSize = 24, KeyValueHeads = 1 } })
        {
            var (int8, int4) = form is NanoGptConfig ? (0.0034, 0.034) : (0.02, 0.25);      // Llama's tiny form has the sharper attention
            yield return Case(form with { Attention = AttentionKind.Sage }, int8);
            yield return Case(form with { Cache = CacheKind.Int8 }, int8);
            yield return Case(form with { Attention = AttentionKind.Sage, Cache = CacheKind.Int8 }, int8);
            yield return Case(form with { Attention = AttentionKind.Sage, AttentionBits = 4 }, int4);
        }

        static TestCaseData Case(TransformerConfig config, double tolerance) => new TestCaseData(config, tolerance).SetArgDisplayNames(
            $"{config.GetType().Name} head {config.HeadDim}, {config.KeyHeadCount} key heads, {config.Attention}, {config.AttentionBits} bits, {config.Cache}");
    }

    [TestCaseSource(nameof(Settings))]
    public void Step_AnySetting_IsTheWholeSequenceWithinTheQuantisation(TransformerConfig config, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var (model, exact) = (Build(config), Build(config with { Attention = AttentionKind.Exact, Cache = CacheKind.Float32 }));
        var ids = randint(config.VocabSize, [2, 90], int64);
        var whole = model.Hidden(ids);
        using var state = model.NewState(2)!;
        var steps = stack(ids.unbind(1).Select(id => model.Step(id, state)), dim: 1);
        Check(steps, whole, tolerance, "step by step");
        Check(whole, exact.Hidden(ids), tolerance, "exact attention");
        using var pieces = model.NewState(2)!;
        var parts = cat([model.Hidden(ids.narrow(1, 0, 33), pieces), model.Hidden(ids.narrow(1, 33, 40), pieces), model.Hidden(ids.narrow(1, 73, 17), pieces)], 1);
        Check(parts, whole, tolerance, "in pieces");
    }

    /// <summary>The keys' mean is over all tokens, so that what follows moves earlier outputs, by no more than the quantisation.</summary>
    [TestCaseSource(nameof(Settings))]
    public void Hidden_OtherTokensBehind_ChangeWhatWasBeforeOnlyWithinTheQuantisation(TransformerConfig config, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var model = Build(config);
        var ids = randint(config.VocabSize, [1, 80], int64);
        var other = cat([ids.narrow(1, 0, 40), randint(config.VocabSize, [1, 40], int64)], dim: 1);
        Check(model.Hidden(other).narrow(1, 0, 40), model.Hidden(ids).narrow(1, 0, 40), tolerance, "what was before");
    }

    /// <summary>Where earlier outputs depend on later tokens, a batch keeps its padding: without it they would be others.</summary>
    [TestCase(AttentionKind.Exact, true)]
    [TestCase(AttentionKind.Sage, false)]
    public void IsCausal_QuantizedAttention_IsNotWhatTheArchitectureSays(AttentionKind attention, bool expected)
    {
        using var model = Build(NanoGptConfig.Tiny with { Attention = attention });
        model.IsCausal = true;
        Assert.That(model.IsCausal, Is.EqualTo(expected));
    }

    [Test]
    public void TrainingLoss_Sage_IsExactAttentions()
    {
        using var scope = NewDisposeScope();
        var (sage, exact) = (Build(LlamaConfig.Tiny with { Attention = AttentionKind.Sage }), Build(LlamaConfig.Tiny));
        var ids = randint(65, [2, 20], int64);
        using var batch = new TokenBatch(ids, arange(40, int64), ids.reshape(-1));
        foreach (var model in new[] { sage, exact })
            Gradients.Backward(model.TrainingLoss(batch));
        foreach (var (one, other) in sage.parameters().Zip(exact.parameters()))
            Assert.That(one.grad!.Equals(other.grad!), Is.True);
    }

    [Test]
    public void Hidden_Sage_RunsTheOp()
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var config = NanoGptConfig.Tiny with { Attention = AttentionKind.Sage };
        var (model, exact) = (Build(config), Build(NanoGptConfig.Tiny));
        var ids = randint(65, [1, 50], int64);
        Assert.That(model.Hidden(ids).Equals(exact.Hidden(ids)), Is.False);
    }

    [TestCase("""{"attention_bits": 5}""", "'attention_bits' is 5; it must be 8 or 4.")]
    [TestCase("""{"attention": "sage", "n_embd": 516, "n_head": 4}""", "'attention' is \"sage\" and heads are 129 wide; quantised attention takes at most 128.")]
    [TestCase("""{"attention": "sage", "hidden_size": 260, "num_attention_heads": 2}""",
        "'attention' is \"sage\" and heads are 130 wide; quantised attention takes at most 128.")]
    public void ReadConfig_Problem_IsASentence(string json, string problem) =>
        Assert.That(() => Architecture.ReadConfig("default", JsonNode.Parse(json)!.AsObject()),
            Throws.TypeOf<ConfigException>().With.Property("Problems").EqualTo(new[] { problem }));

    [Test]
    public void ReadConfig_BothSetsOfKeys_TakeTheSettings()
    {
        var values = JsonNode.Parse("""{"attention": "sage", "kv_cache": "int8", "n_embd": 64}""")!.AsObject();
        Assert.That(Architecture.ReadConfig("default", values),
            Is.EqualTo(new NanoGptConfig { EmbeddingDim = 64, Attention = AttentionKind.Sage, Cache = CacheKind.Int8 }));
        values = JsonNode.Parse("""{"attention": "sage", "attention_bits": 4, "kv_cache": "float32", "hidden_size": 64}""")!.AsObject();
        Assert.That(Architecture.ReadConfig("default", values), Is.EqualTo(new LlamaConfig { Attention = AttentionKind.Sage, AttentionBits = 4 }));
    }

    private static void Check(Tensor actual, Tensor expected, double tolerance, string what)
    {
        var error = ((actual - expected).abs().sum() / expected.abs().sum()).item<float>();
        TestContext.Out.WriteLine($"{what}: {error:E1}");
        Assert.That(error, Is.LessThan(tolerance), what);
    }

    /// <summary>Weights five times as large as initial ones, so that attention is not a mean.</summary>
    private static TokenModel Build(TransformerConfig config)
    {
        manual_seed(1);
        var model = (TokenModel)Architecture.CreateModel(config, new BuildContext());
        model.eval();
        using var noGradient = no_grad();
        foreach (var parameter in model.parameters().Where(p => p.dim() > 1))
            parameter.mul_(5);
        manual_seed(2);
        return model;
    }
}
