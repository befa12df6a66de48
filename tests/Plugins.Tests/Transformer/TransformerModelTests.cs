using Zoo.Architectures;
using Zoo.SageAttention;
using static TorchSharp.torch;

namespace Zoo.Tests.Transformer;

public sealed class TransformerModelTests
{
    private static readonly TransformerArchitecture Architecture = new();

    private static IEnumerable<TransformerConfig> Forms =>
    [
        NanoGptConfig.Tiny,
        NanoGptConfig.Tiny with { HasBias = false, VocabSize = 11 },
        NanoGptConfig.Tiny with { Activation = "gelu_new" },
        LlamaConfig.Tiny,
        LlamaConfig.Tiny with { TieEmbeddings = true, KeyValueHeads = null, AttentionBias = true, MlpBias = true, HeadSize = 24, RopeTheta = 500 },
        LlamaConfig.Tiny with { KeyValueHeads = 1 },
    ];

    [TestCaseSource(nameof(Forms))]
    public void Logits_AnyForm_EqualThePapersEquations(TransformerConfig config)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var model = Build(config);
        foreach (var parameter in model.parameters())
            parameter.add_(randn_like(parameter) * 0.1);       // biases and norms start at zero and one, which would hide mistakes
        var parameters = model.named_parameters().ToDictionary(p => p.name, p => (Tensor)p.parameter);
        var ids = Enumerable.Range(0, 40).Select(i => (long)(i * i * 7 % config.VocabSize)).ToArray();
        var plain = new PlainTransformer(parameters);
        var expected = config is LlamaConfig llama ? plain.Llama(llama, ids) : plain.NanoGpt((NanoGptConfig)config, ids);
        var logits = model.Head(model.Hidden(tensor(ids).unsqueeze(0)))[0];
        TensorAssert.Close(logits, tensor(expected.SelectMany(row => row).ToArray(), [ids.Length, config.VocabSize]), atol: 2e-5, rtol: 1e-5, "logits");
    }

    [TestCaseSource(nameof(Forms))]
    public void TrainingLoss_AnyForm_IsThatOfTheLogits(TransformerConfig config)
    {
        using var scope = NewDisposeScope();
        var model = Build(config);
        var ids = randint(config.VocabSize, [2, 9], int64);
        var batch = new Zoo.Tasks.TokenBatch(ids, arange(18, int64), randint(config.VocabSize, [18], int64));
        Assert.That(model.TrainingLoss(batch).item<float>(), Is.EqualTo(model.Run(batch).Loss.item<float>()).Within(1e-6));
        var some = new Zoo.Tasks.TokenBatch(ids, tensor(new long[] { 3, 17 }), tensor(new long[] { 1, 2 }));
        Assert.That(model.TrainingLoss(some).item<float>(), Is.EqualTo(model.Run(some).Loss.item<float>()).Within(1e-6));
    }

    [Test]
    public void Parameters_NanoGpt_HaveItsNamesAndShapes()
    {
        using var scope = NewDisposeScope();
        var model = Build(new NanoGptConfig { Layers = 1, HasBias = true, BlockSize = 16, EmbeddingDim = 8, Heads = 2, VocabSize = 5 });
        Assert.That(model.named_parameters().Select(p => $"{p.name} {Shape.Describe(p.parameter.shape)}"), Is.EquivalentTo(new[]
        {
            "transformer.wte.weight [5, 8]", "transformer.wpe.weight [16, 8]",
            "transformer.h.0.ln_1.weight [8]", "transformer.h.0.ln_1.bias [8]",
            "transformer.h.0.attn.c_attn.weight [24, 8]", "transformer.h.0.attn.c_attn.bias [24]",
            "transformer.h.0.attn.c_proj.weight [8, 8]", "transformer.h.0.attn.c_proj.bias [8]",
            "transformer.h.0.ln_2.weight [8]", "transformer.h.0.ln_2.bias [8]",
            "transformer.h.0.mlp.c_fc.weight [32, 8]", "transformer.h.0.mlp.c_fc.bias [32]",
            "transformer.h.0.mlp.c_proj.weight [8, 32]", "transformer.h.0.mlp.c_proj.bias [8]",
            "transformer.ln_f.weight [8]", "transformer.ln_f.bias [8]",
        }));
        Assert.That(model.TiedKeys("transformer.wte.weight"), Is.EqualTo(new[] { "lm_head.weight" }));
        var undecayed = model.ParameterGroups().Single().Names;
        Assert.That(undecayed, Has.Count.EqualTo(10));
        Assert.That(undecayed, Has.All.Match("bias|ln_"));
    }

    [Test]
    public void Parameters_Llama_HaveItsNamesAndShapes([Values] bool tied)
    {
        using var scope = NewDisposeScope();
        var model = Build(new LlamaConfig
        {
            Layers = 1,
            HiddenSize = 8,
            Heads = 2,
            KeyValueHeads = 1,
            IntermediateSize = 12,
            VocabSize = 5,
            TieEmbeddings = tied,
        });
        string[] expected =
        [
            "model.embed_tokens.weight [5, 8]", "model.layers.0.input_layernorm.weight [8]",
            "model.layers.0.self_attn.q_proj.weight [8, 8]", "model.layers.0.self_attn.k_proj.weight [4, 8]",
            "model.layers.0.self_attn.v_proj.weight [4, 8]", "model.layers.0.self_attn.o_proj.weight [8, 8]",
            "model.layers.0.post_attention_layernorm.weight [8]", "model.layers.0.mlp.gate_proj.weight [12, 8]",
            "model.layers.0.mlp.up_proj.weight [12, 8]", "model.layers.0.mlp.down_proj.weight [8, 12]", "model.norm.weight [8]",
        ];
        Assert.That(model.named_parameters().Select(p => $"{p.name} {Shape.Describe(p.parameter.shape)}"),
            Is.EquivalentTo(tied ? expected : [.. expected, "lm_head.weight [5, 8]"]));
        Assert.That(model.TiedKeys("model.embed_tokens.weight"), tied ? Is.EqualTo(new[] { "lm_head.weight" }) : Is.Empty);
    }

    [Test]
    public void Initialisation_NanoGpt_SpreadIsTheOriginals()
    {
        using var scope = NewDisposeScope();
        var parameters = Build(new NanoGptConfig { Layers = 8 }).named_parameters().ToDictionary(p => p.name, p => p.parameter);
        foreach (var (name, spread) in new[]
        {
            ("transformer.wte.weight", 0.02), ("transformer.wpe.weight", 0.02), ("transformer.h.3.attn.c_attn.weight", 0.02),
            ("transformer.h.3.attn.c_proj.weight", 0.005), ("transformer.h.3.mlp.c_fc.weight", 0.02), ("transformer.h.3.mlp.c_proj.weight", 0.005),
        })
        {
            Assert.That(parameters[name].std().item<float>(), Is.EqualTo(spread).Within(5).Percent, name);
        }
    }

    [Test]
    public void Dropout_Training_IsAFunctionOfTheModelsCounter()
    {
        using var scope = NewDisposeScope();
        var model = Build(NanoGptConfig.Tiny with { Dropout = 0.5 });
        var ids = tensor(new long[] { 1, 2, 3, 4 }).unsqueeze(0);
        var still = model.Hidden(ids);
        model.train();
        Tensor Run(ulong counter)
        {
            model.Randomness = new CounterRandom(5) { Counter = counter };
            return model.Hidden(ids);
        }
        Assert.That(Run(7).Equals(Run(7)), Is.True);
        Assert.That(Run(7).Equals(Run(8)), Is.False);
        Assert.That(Run(7).allclose(still), Is.False);
        model.eval();
        Assert.That(Run(7).Equals(still), Is.True);
    }

    [TestCaseSource(nameof(Forms))]
    public void Cache_Full_SaysSo(TransformerConfig config)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var model = Build(config);
        using var state = model.NewState(1)!;
        model.Hidden(zeros([1, config.SequenceLength], int64), state);
        Assert.That(() => model.Step(zeros([1], int64), state), Throws.TypeOf<UserException>().With.Message.StartsWith(
            $"transformer: the cache has room for {config.SequenceLength} tokens and holds {config.SequenceLength}; 1 more do not fit."));
        Assert.That(() => model.Hidden(zeros([1, config.SequenceLength + 1], int64)), Throws.TypeOf<UserException>().With.Message.StartsWith(
            $"transformer: a sequence of {config.SequenceLength + 1} tokens is longer than the {config.SequenceLength} that it is built for"));
    }

    private static TokenModel Build(TransformerConfig config)
    {
        manual_seed(1);
        var model = (TokenModel)Architecture.CreateModel(config, new BuildContext());
        model.eval();
        return model;
    }
}
