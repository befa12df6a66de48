using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;

namespace Zoo.SageAttention;

/// <summary>The decoder-only Transformer: what every other sequence architecture is compared with.</summary>
public sealed class TransformerArchitecture : IModelArchitecture
{
    private const string Name = "transformer";

    /// <summary>Keys that none of the original projects has.</summary>
    internal static readonly string[] OwnKeys = ["attention", "attention_bits", "kv_cache"];

    private static readonly string[] MadeAnew = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"];
    private static readonly string[] OfGpt2 = ["wte.", "wpe.", "h.", "ln_f."];
    private static readonly string[] Matrices = [".c_attn.weight", ".c_proj.weight", ".c_fc.weight"];
    private static readonly HashSet<string> NanoGptKeys = Keys(typeof(NanoGptConfig));
    private static readonly HashSet<string> LlamaKeys = [.. Keys(typeof(LlamaConfig)), LlamaRope.ParametersKey];

    /// <inheritdoc/>
    public ArchitectureInfo Info { get; } = new(Name,
        "Decoder-only Transformer with softmax attention",
        "Vaswani et al. 2017, arXiv:1706.03762; as GPT-2 in karpathy/nanoGPT, and as Llama (Touvron et al. 2023, arXiv:2302.13971)")
    {
        Kind = ModelKind.TokenModel,
        Aliases = [new ArchitectureAlias("nanogpt", "default"), new ArchitectureAlias("llama", "llama-tiny")],
        Abilities = ModelAbilities.Step | ModelAbilities.Causal | ModelAbilities.ConstantMemoryStep | ModelAbilities.BFloat16,
        Ops = ["attention", "cross_entropy", "gelu", "gelu_mlp", "layer_norm", "rms_norm", "rope", "sage_attention", "swiglu"],
        Limits =
        [
            "A sequence is at most block_size or max_position_embeddings long. The key and value cache is allocated once for that many tokens: a " +
                "step's memory does not grow, its time does, with the tokens seen.",
            "A GPT-2 checkpoint's matrices are [in, out] where its config.json is Hugging Face's (it has n_positions) or its names do not begin with " +
                "transformer., as OpenAI's do not; otherwise they are nanoGPT's, [out, in].",
            "rope_scaling is \"linear\", \"llama3\" or none; others, such as \"yarn\", are refused.",
            "attention \"sage\" is for evaluation, prefill and scoring: where gradients are asked for, exact attention runs; a single query reads its " +
                "cache exactly. kv_cache \"int8\" runs on the CPU. With either, outputs differ from the exact ones by the quantisation.",
            "Dropout of attention weights runs as separate tensor operations, without the attention kernel.",
        ],
    };

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new NanoGptConfig(),
        ["nanogpt-cpu"] = new NanoGptConfig(),
        ["tiny"] = NanoGptConfig.Tiny,
        ["small"] = NanoGptConfig.Small,
        ["gpt2"] = NanoGptConfig.Gpt2,
        ["llama-tiny"] = LlamaConfig.Tiny,
        ["llama-small"] = LlamaConfig.Small,
        ["tinyllama-1.1b"] = LlamaConfig.TinyLlama,
    };

    /// <summary>As the contract has it. The keys decide: Llama's, without a preset, mean the preset llama-tiny.</summary>
    public ModelConfig ReadConfig(string preset, JsonObject values) => Read((TransformerConfig)Presets[BasisOf(preset, values)], values);

    /// <summary>
    /// As the contract has it, and Hugging Face's GPT-2 besides; what a checkpoint's config leaves out is the original project's default.
    /// </summary>
    public ModelConfig ReadUpstreamConfig(string preset, JsonObject values) => Gpt2Config.IsOne(values)
        ? (NanoGptConfig)Read(NanoGptConfig.Gpt2, Gpt2Config.Translate(values, Name)) with { HasInOutMatrices = true }
        : Read(Presets[BasisOf(preset, values)] is LlamaConfig ? LlamaConfig.Upstream : NanoGptConfig.Upstream, values);

    /// <summary>
    /// Hugging Face's loader wants to know which model it is; keys of ours that say nothing new are left out.
    /// </summary>
    public JsonObject WriteUpstreamConfig(ModelConfig config)
    {
        var written = ConfigJson.Write(config);
        var usual = ConfigJson.Write(new NanoGptConfig());
        foreach (var key in OwnKeys.Append(NanoGptConfig.ActivationKey).Where(key => JsonNode.DeepEquals(written[key], usual[key])))
            written.Remove(key);
        if (config is LlamaConfig llama)
        {
            if (llama.RopeScaling is not null)
                written[LlamaRope.ScalingKey] = LlamaRope.Written(written[LlamaRope.ScalingKey]!.AsObject());
            written["model_type"] = "llama";
            written["architectures"] = new JsonArray("LlamaForCausalLM");
        }
        return written;
    }

    /// <summary>
    /// The model's own names, perhaps behind what torch.compile puts before them; and those of OpenAI's GPT-2 as Hugging Face has it, which say
    /// no "transformer." and whose matrices are [in, out]. Older checkpoints hold masks and rotary frequencies, too, which are made anew here.
    /// </summary>
    public UpstreamTensor? FindUpstream(string name)
    {
        const string compiled = "_orig_mod.", body = "transformer.";
        if (name.StartsWith(compiled, StringComparison.Ordinal))
            name = name[compiled.Length..];
        if (EndsWithOneOf(name, MadeAnew))
            return null;
        return OfGpt2.Any(start => name.StartsWith(start, StringComparison.Ordinal))
            ? new(body + name) { Transposed = EndsWithOneOf(name, Matrices) }
            : new(name);
    }

    /// <summary>As <see cref="FindUpstream(string)"/>; under a config of Hugging Face's GPT-2, matrices are [in, out] whatever their names begin with.</summary>
    public UpstreamTensor? FindUpstream(string name, ModelConfig config) =>
        FindUpstream(name) is { } found && config is NanoGptConfig { HasInOutMatrices: true }
            ? found with { Transposed = EndsWithOneOf(found.Key, Matrices) }
            : FindUpstream(name);

    private static bool EndsWithOneOf(string name, string[] endings) => endings.Any(end => name.EndsWith(end, StringComparison.Ordinal));

    private static TransformerConfig Read(TransformerConfig basis, JsonObject values)
    {
        if (basis is not LlamaConfig)
            return ConfigJson.Bind(basis, values, Name);
        // Others have the same keys and other blocks.
        if (values["model_type"] is { } type && type.ToJsonString() != "\"llama\"")
            throw new ConfigException(Name, [$"'model_type' is {type.ToJsonString()}; of Hugging Face's decoders this is \"llama\" and \"gpt2\"."]);
        return ConfigJson.Bind(basis, LlamaRope.Read(values, Name), Name);
    }

    /// <inheritdoc/>
    public JsonObject ImpliedBy(TaskShape shape, string preset, JsonObject values)
    {
        var implied = new JsonObject();
        if (shape.VocabSize is { } vocabulary)
            implied["vocab_size"] = vocabulary;
        if ((shape.MaximumLength ?? shape.Length) is { } length)
            implied[Presets[BasisOf(preset, values)] is LlamaConfig ? "max_position_embeddings" : "block_size"] = length;
        return implied;
    }

    /// <inheritdoc/>
    public Model CreateModel(ModelConfig config, BuildContext context) => config is LlamaConfig llama
        ? new LlamaModel(llama, context)
        : new NanoGptModel((NanoGptConfig)config, context);

    /// <summary>The preset whose values stand where none are given.</summary>
    private string BasisOf(string preset, JsonObject values)
    {
        var nanoGpt = values.Select(v => v.Key).Where(k => NanoGptKeys.Contains(k) && !LlamaKeys.Contains(k)).ToList();
        var llama = values.Select(v => v.Key).Where(k => LlamaKeys.Contains(k) && !NanoGptKeys.Contains(k)).ToList();
        if (nanoGpt.Count > 0 && llama.Count > 0)
        {
            throw new ConfigException(Name,
                [$"{List(nanoGpt)} {Are(nanoGpt)} of nanoGPT's keys and {List(llama)} of Llama's; a config has one set or the other."]);
        }
        var isLlama = Presets[preset] is LlamaConfig;
        // A complete config needs nothing of a preset.
        if (LlamaKeys.All(k => values.ContainsKey(k) || k is LlamaRope.ScalingKey or LlamaRope.ParametersKey))
            return isLlama ? preset : "llama-tiny";
        if (NanoGptKeys.All(values.ContainsKey))
            return isLlama ? Info.DefaultPreset : preset;
        if (llama.Count > 0 && !isLlama)
        {
            return preset == Info.DefaultPreset ? "llama-tiny" : throw new ConfigException(Name,
                [$"{List(llama)} {Are(llama)} of Llama's keys and the preset '{preset}' has nanoGPT's; take one of {Having<LlamaConfig>()}."]);
        }
        if (nanoGpt.Count > 0 && isLlama)
        {
            throw new ConfigException(Name,
                [$"{List(nanoGpt)} {Are(nanoGpt)} of nanoGPT's keys and the preset '{preset}' has Llama's; take one of {Having<NanoGptConfig>()}."]);
        }
        return preset;
    }

    private string Having<T>() => string.Join(", ", Presets.Where(p => p.Value is T).Select(p => p.Key));

    private static string List(List<string> keys) => string.Join(", ", keys.Select(k => $"'{k}'"));

    private static string Are(List<string> keys) => keys.Count == 1 ? "is one" : "are";

    private static HashSet<string> Keys(Type config) =>
        [.. config.GetProperties().SelectMany(p => p.GetCustomAttributes(typeof(JsonPropertyNameAttribute), true)).Cast<JsonPropertyNameAttribute>().Select(a => a.Name)];
}
