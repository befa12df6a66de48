using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.SageAttention;
using Zoo.Tasks;

namespace Zoo.Tests.Transformer;

public sealed class TransformerConfigTests
{
    private static readonly TransformerArchitecture Architecture = new();

    private static ModelConfig Read(string json, string preset = "default") => Architecture.ReadConfig(preset, JsonNode.Parse(json)!.AsObject());

    [Test]
    public void ReadConfig_KeysDecide()
    {
        Assert.That(Read("""{"n_embd": 64}"""), Is.EqualTo(new NanoGptConfig { EmbeddingDim = 64 }));
        Assert.That(Read("""{"hidden_size": 128, "vocab_size": 7}"""), Is.EqualTo(new LlamaConfig { HiddenSize = 128, VocabSize = 7 }));
        Assert.That(Read("""{"vocab_size": 7}""", "llama-tiny"), Is.EqualTo(new LlamaConfig { VocabSize = 7 }));
    }

    [TestCase("""{"n_embd": 64, "hidden_size": 64, "rope_theta": 5}""", "default",
        "'n_embd' is one of nanoGPT's keys and 'hidden_size', 'rope_theta' of Llama's; a config has one set or the other.")]
    [TestCase("""{"hidden_size": 64}""", "gpt2",
        "'hidden_size' is one of Llama's keys and the preset 'gpt2' has nanoGPT's; take one of llama-tiny, llama-small, tinyllama-1.1b.")]
    [TestCase("""{"n_embd": 64}""", "llama-tiny",
        "'n_embd' is one of nanoGPT's keys and the preset 'llama-tiny' has Llama's; take one of default, nanogpt-cpu, tiny, small, gpt2.")]
    [TestCase("""{"rope_scaling": {"type": "yarn", "factor": 2}, "hidden_size": 64}""", "default",
        "In rope_scaling: 'rope_type' is \"yarn\"; it must be \"linear\" or \"llama3\", \"default\" for none, or \"dynamic\", which is none up to max_position_embeddings.")]
    [TestCase("""{"rope_scaling": {"rope_type": "linear", "factor": 0.5}}""", "default", "In rope_scaling: 'factor' is 0.5; it must be at least 1.")]
    [TestCase("""{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1}}""", "default",
        "In rope_scaling: 'low_freq_factor' is 1, 'high_freq_factor' null and 'original_max_position_embeddings' null; \"llama3\" needs all three, above 0, and the second above the first.")]
    [TestCase("""{"rope_parameters": {"rope_theta": 5}, "rope_scaling": {"type": "linear", "factor": 2}}""", "default",
        "It has 'rope_parameters' and 'rope_scaling'; one of them says it all.")]
    [TestCase("""{"model_type": "mistral", "hidden_size": 64}""", "default", "'model_type' is \"mistral\"; of Hugging Face's decoders this is \"llama\" and \"gpt2\".")]
    [TestCase("""{"n_embd": 65}""", "default", "'n_embd' is 65 and 'n_head' 4; the first must be a multiple of the second.")]
    [TestCase("""{"n_layer": 0}""", "default", "'n_layer' is 0; it must be from 1 to 65536.")]
    [TestCase("""{"n_layer": 1000000000}""", "default", "'n_layer' is 1000000000; it must be from 1 to 65536.")]
    [TestCase("""{"vocab_size": 2147483647}""", "default", "'vocab_size' is 2147483647; it must be from 1 to 16777216.")]
    [TestCase("""{"head_dim": 16777216}""", "llama-tiny", "'num_attention_heads' is 4 and heads are 16777216 wide; together they must be at most 16777216 wide.")]
    [TestCase("""{"n_head": 0}""", "default", "'n_head' is 0; it must be from 1 to 16777216.")]
    [TestCase("""{"dropout": 1}""", "default", "'dropout' is 1; it must be at least 0 and below 1.")]
    [TestCase("""{"num_key_value_heads": 3}""", "default", "'num_attention_heads' is 4 and 'num_key_value_heads' 3; the first must be a multiple of the second.")]
    [TestCase("""{"num_attention_heads": 0}""", "default", "'num_attention_heads' is 0; it must be from 1 to 16777216.")]
    [TestCase("""{"head_dim": 7}""", "default", "heads are 7 wide; rotary positions need an even width.")]
    [TestCase("""{"hidden_act": "relu"}""", "default", "'hidden_act' is \"relu\"; \"silu\" is the one there is.")]
    public void ReadConfig_Problem_IsASentence(string json, string preset, string problem) =>
        Assert.That(() => Read(json, preset), Throws.TypeOf<ConfigException>().With.Property("Problems").EqualTo(new[] { problem }));

    [Test]
    public void ReadUpstreamConfig_TinyLlamasFile_IsThePreset()
    {
        const string File = """
            {"architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
             "intermediate_size": 5632, "max_position_embeddings": 2048, "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 22,
             "num_key_value_heads": 4, "pretraining_tp": 1, "rms_norm_eps": 1e-05, "rope_scaling": null, "tie_word_embeddings": false,
             "torch_dtype": "float32", "transformers_version": "4.31.0.dev0", "use_cache": true, "vocab_size": 32000}
            """;
        Assert.That(Architecture.ReadUpstreamConfig("default", JsonNode.Parse(File)!.AsObject()), Is.EqualTo(LlamaConfig.TinyLlama));
    }

    [Test]
    public void ReadUpstreamConfig_KeysLeftOut_AreTheOriginals()
    {
        var llama = (LlamaConfig)Architecture.ReadUpstreamConfig("default", new JsonObject { ["hidden_size"] = 256, ["num_attention_heads"] = 8 });
        Assert.That((llama.KeyHeadCount, llama.NormEpsilon), Is.EqualTo((8, 1e-6)));
        var gpt = (NanoGptConfig)Architecture.ReadUpstreamConfig("default", new JsonObject { ["n_layer"] = 2 });
        Assert.That((gpt.HasBias, gpt.EmbeddingDim, gpt.VocabSize), Is.EqualTo((true, 768, 50304)));
    }

    [TestCase("transformer.h.3.attn.c_attn.bias", "transformer.h.3.attn.c_attn.bias")]
    [TestCase("_orig_mod.transformer.wte.weight", "transformer.wte.weight")]
    [TestCase("lm_head.weight", "lm_head.weight")]
    [TestCase("transformer.h.3.attn.bias", null)]
    [TestCase("_orig_mod.transformer.h.3.attn.masked_bias", null)]
    [TestCase("model.layers.0.self_attn.rotary_emb.inv_freq", null)]
    [TestCase("surprise", "surprise")]
    [TestCase("wte.weight", "transformer.wte.weight", Description = "OpenAI's GPT-2 at Hugging Face")]
    [TestCase("h.3.attn.bias", null, Description = "its mask")]
    [TestCase("h.3.attn.c_attn.bias", "transformer.h.3.attn.c_attn.bias")]
    public void FindUpstream_PublishedNames_AreTheModelsOrNotNeeded(string name, string? key) =>
        Assert.That(Architecture.FindUpstream(name)?.Key, Is.EqualTo(key));

    [Test]
    public void FindUpstream_OfGpt2_TransposesItsFourMatricesAlone()
    {
        string[] names =
        [
            "wte.weight", "wpe.weight", "h.0.ln_1.weight", "h.0.attn.c_attn.weight", "h.0.attn.c_attn.bias", "h.0.attn.c_proj.weight", "h.0.ln_2.bias",
            "h.0.mlp.c_fc.weight", "h.0.mlp.c_proj.weight", "ln_f.weight", "transformer.h.0.attn.c_attn.weight",
        ];
        Assert.That(names.Where(n => Architecture.FindUpstream(n)!.Transposed), Is.EqualTo(
            (string[])["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "h.0.mlp.c_fc.weight", "h.0.mlp.c_proj.weight"]));
    }

    /// <summary>Under Hugging Face's config names say nothing of the matrices: its GPT-2 writes "transformer." before them, OpenAI's files do not.</summary>
    [Test]
    public void FindUpstream_UnderHuggingFacesConfig_TransposesWhateverTheNames([Values("", "transformer.")] string start)
    {
        var theirs = Architecture.ReadUpstreamConfig("default", JsonNode.Parse("""{"model_type": "gpt2", "n_positions": 8}""")!.AsObject());
        Assert.That(Architecture.FindUpstream(start + "h.0.mlp.c_fc.weight", theirs), Is.EqualTo(new UpstreamTensor("transformer.h.0.mlp.c_fc.weight") { Transposed = true }));
        Assert.That(Architecture.FindUpstream(start + "h.0.attn.bias", theirs), Is.Null);
        Assert.That(Architecture.FindUpstream("transformer.h.0.mlp.c_fc.weight", new NanoGptConfig())!.Transposed, Is.False);
    }

    /// <summary>θ and scaling in every way that Hugging Face's versions write them.</summary>
    [TestCase("""{"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}}""", "linear", 2)]
    [TestCase("""{"rope_theta": 500.0, "rope_scaling": {"rope_type": "linear", "type": "linear", "factor": 2.0}}""", "linear", 2)]
    [TestCase("""{"rope_parameters": {"rope_theta": 500.0, "rope_type": "linear", "factor": 2.0}, "hidden_size": 4096}""", "linear", 2)]
    [TestCase("""{"rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}, "hidden_size": 4096}""", null, 0)]
    [TestCase("""{"rope_theta": 500.0, "rope_parameters": null, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}""", null, 0)]
    public void ReadUpstreamConfig_Rope_IsReadInEveryForm(string json, string? type, double factor)
    {
        var read = (LlamaConfig)Architecture.ReadUpstreamConfig("default", JsonNode.Parse(json)!.AsObject());
        Assert.That(read.RopeTheta, Is.EqualTo(500));
        Assert.That(read.RopeScaling, Is.EqualTo(type is null ? null : new RopeScaling { Type = type, Factor = factor }));
        Assert.That(Architecture.ReadUpstreamConfig("default", Architecture.WriteUpstreamConfig(read)), Is.EqualTo(read));
    }

    /// <summary>Llama 3.1's: of its 64 frequencies the first 29 stay, the last 29 are divided by 8, and the rest lie in between.</summary>
    [Test]
    public void RopeScaling_Llama3_KeepsHighFrequenciesAndDividesLowOnes()
    {
        var scaling = new RopeScaling { Type = "llama3", Factor = 8, LowTurns = 1, HighTurns = 4, OriginalPositions = 8192 };
        var kept = Enumerable.Range(0, 64).Select(i => (float)(1 / Math.Pow(500_000, i / 64.0))).Select(f => scaling.Scaled(f) / f).ToList();
        Assert.That(kept.TakeWhile(k => k == 1).Count(), Is.EqualTo(29));
        Assert.That(kept.Count(k => Math.Abs(k - 0.125) < 1e-6), Is.EqualTo(29));
        Assert.That(kept, Is.Ordered.Descending);
        // 8,192 positions are 3.5 turns of the middle of high and low: half a third below 4, so 5/6 is kept.
        Assert.That(scaling.Scaled((float)(3.5 * 2 * Math.PI / 8192)) / (3.5 * 2 * Math.PI / 8192), Is.EqualTo((5 / 6.0) + (1 / 6.0 / 8)).Within(1e-6));
    }

    [Test]
    public void ReadUpstreamConfig_OfGpt2_IsThePresetWithItsGelu()
    {
        const string File = """
            {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1,
             "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
             "n_inner": null, "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1, "summary_activation": null, "summary_first_dropout": 0.1,
             "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
             "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "vocab_size": 50257}
            """;
        Assert.That(Architecture.ReadUpstreamConfig("default", JsonNode.Parse(File)!.AsObject()),
            Is.EqualTo(NanoGptConfig.Gpt2 with { Activation = "gelu_new", Dropout = 0.1, HasInOutMatrices = true }));
    }

    [TestCase("""{"n_positions": 8, "n_inner": 100}""", "'n_inner' is 100; it must be null or four times 'n_embd'.")]
    [TestCase("""{"n_positions": 8, "layer_norm_epsilon": 1e-6}""", "'layer_norm_epsilon' is 1e-6; it must be 1e-5.")]
    [TestCase("""{"n_positions": 8, "scale_attn_by_inverse_layer_idx": true}""", "'scale_attn_by_inverse_layer_idx' is true; it must be false.")]
    [TestCase("""{"n_positions": 8, "resid_pdrop": 0.1, "attn_pdrop": 0}""", "'resid_pdrop', 'embd_pdrop', 'attn_pdrop' differ; there is one dropout here.")]
    [TestCase("""{"n_positions": 8, "activation_function": "relu"}""", "'activation_function' is \"relu\"; it must be \"gelu\" or \"gelu_new\".")]
    [TestCase("""{"n_positions": 8, "surprise": 1}""", "'surprise' is no key of it.")]
    public void ReadUpstreamConfig_OfAnotherGpt2_IsASentence(string json, string problem) =>
        Assert.That(() => Architecture.ReadUpstreamConfig("default", JsonNode.Parse(json)!.AsObject()),
            Throws.TypeOf<ConfigException>().With.Property("Problems").EqualTo(new[] { problem }));

    [Test]
    public void WriteUpstreamConfig_OfLlama_IsWhatItsLoaderReadsAndComesBack([Values] CacheKind cache)
    {
        var config = LlamaConfig.Small with { Cache = cache };
        var written = Architecture.WriteUpstreamConfig(config);
        Assert.That(written["model_type"]!.GetValue<string>(), Is.EqualTo("llama"));
        Assert.That(written.ContainsKey("attention"), Is.False);
        Assert.That(written.ContainsKey("kv_cache"), Is.EqualTo(cache != CacheKind.Float32));
        Assert.That(Architecture.ReadUpstreamConfig("default", written), Is.EqualTo(config));
        Assert.That(Architecture.ReadUpstreamConfig("default", Architecture.WriteUpstreamConfig(NanoGptConfig.Gpt2)), Is.EqualTo(NanoGptConfig.Gpt2));
    }

    [Test]
    public void ImpliedBy_Task_SetsTheKeysOfTheForm()
    {
        var shape = new TaskShape(ModelKind.TokenModel) { VocabSize = 9, Length = 30, MaximumLength = 40 };
        Assert.That(Architecture.ImpliedBy(shape, "default", []).ToJsonString(), Is.EqualTo("""{"vocab_size":9,"block_size":40}"""));
        Assert.That(Architecture.ImpliedBy(shape, "default", new JsonObject { ["hidden_size"] = 8 }).ToJsonString(),
            Is.EqualTo("""{"vocab_size":9,"max_position_embeddings":40}"""));
    }

    [TestCase("gpt2", 124_439_808L)]            // as nanoGPT counts it, with positions
    [TestCase("tinyllama-1.1b", 1_100_048_384L)]
    [TestCase("nanogpt-cpu", 804_096L)]
    public void Presets_ParameterCount_IsTheOriginals(string preset, long count) =>
        Assert.That(new TokenModelCheck(Architecture, "SageAttention").CountParameters(preset), Is.EqualTo(count));
}
