using System.Text.Json.Serialization;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.SageAttention;

/// <summary>Llama's keys: rotary positions, RMSNorm, SwiGLU, grouped heads, as Hugging Face's config.json has them.</summary>
/// <remarks>Touvron et al. 2023; defaults are those of a very small model, and 'head_dim' null means hidden_size / num_attention_heads.</remarks>
[IgnoredKeys("architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache", "bos_token_id", "eos_token_id", "pad_token_id",
    "pretraining_tp", "_name_or_path")]
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LlamaConfig : TransformerConfig
{
    /// <summary>Width of the residual stream; D.</summary>
    [JsonPropertyName("hidden_size")] public int HiddenSize { get; init; } = 64;

    /// <summary>Width inside the feed-forward part.</summary>
    [JsonPropertyName("intermediate_size")] public int IntermediateSize { get; init; } = 176;

    /// <summary>How many blocks.</summary>
    [JsonPropertyName("num_hidden_layers")] public int Layers { get; init; } = 2;

    /// <summary>How many query heads; H.</summary>
    [JsonPropertyName("num_attention_heads")] public int Heads { get; init; } = 4;

    /// <summary>How many key and value heads; as many as query heads where null.</summary>
    [JsonPropertyName("num_key_value_heads")] public int? KeyValueHeads { get; init; } = 2;

    /// <summary>Width of a head.</summary>
    [JsonPropertyName("head_dim")] public int? HeadSize { get; init; }

    /// <summary>The longest sequence, and what the key and value cache holds.</summary>
    [JsonPropertyName("max_position_embeddings")] public int MaximumPositions { get; init; } = 256;

    /// <summary>RMSNorm's ε.</summary>
    [JsonPropertyName("rms_norm_eps")] public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>The base of the rotary angles' frequencies.</summary>
    [JsonPropertyName("rope_theta")] public double RopeTheta { get; init; } = 10_000;

    /// <summary>How the angles are stretched for longer sequences; null for not at all.</summary>
    [JsonPropertyName("rope_scaling")] public RopeScaling? RopeScaling { get; init; }

    /// <summary>Whether the embedding is the head as well.</summary>
    [JsonPropertyName("tie_word_embeddings")] public bool TieEmbeddings { get; init; }

    /// <summary>Whether the projections of attention have a bias.</summary>
    [JsonPropertyName("attention_bias")] public bool AttentionBias { get; init; }

    /// <summary>The share of attention weights that training drops.</summary>
    [JsonPropertyName("attention_dropout")] public double AttentionDropout { get; init; }

    /// <summary>Whether the projections of the feed-forward part have a bias.</summary>
    [JsonPropertyName("mlp_bias")] public bool MlpBias { get; init; }

    /// <summary>The gate's function; "silu" is the one there is.</summary>
    [JsonPropertyName("hidden_act")] public string Activation { get; init; } = "silu";

    /// <summary>Standard deviation of the initial matrices.</summary>
    [JsonPropertyName("initializer_range")] public double InitialSpread { get; init; } = 0.02;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ModelDim => HiddenSize;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int LayerCount => Layers;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HeadCount => Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int KeyHeadCount => KeyValueHeads ?? Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HeadDim => HeadSize ?? HiddenSize / Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int SequenceLength => MaximumPositions;

    /// <summary>What Hugging Face's code takes where a config.json says nothing.</summary>
    internal static LlamaConfig Upstream { get; } = new()
    {
        HiddenSize = 4096,
        IntermediateSize = 11008,
        Layers = 32,
        Heads = 32,
        KeyValueHeads = null,
        MaximumPositions = 2048,
        VocabSize = 32000,
        NormEpsilon = 1e-6,
    };

    /// <summary>Two layers, 64 wide, four query heads on two key heads.</summary>
    public static LlamaConfig Tiny { get; } = new();

    /// <summary>Six layers, 288 wide: the size at which small models first write stories.</summary>
    public static LlamaConfig Small { get; } = new()
    {
        HiddenSize = 288,
        IntermediateSize = 768,
        Layers = 6,
        Heads = 6,
        KeyValueHeads = 6,
        MaximumPositions = 256,
        VocabSize = 32000,
        TieEmbeddings = true,
    };

    /// <summary>TinyLlama with 1.1 billion parameters.</summary>
    public static LlamaConfig TinyLlama { get; } = new()
    {
        HiddenSize = 2048,
        IntermediateSize = 5632,
        Layers = 22,
        Heads = 32,
        KeyValueHeads = 4,
        MaximumPositions = 2048,
        VocabSize = 32000,
    };

    /// <summary>Llama's settings: β2 0.95, cosine to a tenth, decay 0.1, clipping at 1.</summary>
    [JsonIgnore]
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = ModelDim >= 1024 ? 4e-4 : 1e-3,
        Schedule = ScheduleKind.Cosine,
        FinalLearningRateFactor = 0.1,
        WarmupSteps = 100,
        WarmupStartFactor = 0,
        WeightDecay = 0.1,
        Beta1 = 0.9,
        Beta2 = 0.95,
        GradientClip = 1,
    };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        var wrong = WrongSizes("num_hidden_layers",
            ("hidden_size", HiddenSize), ("intermediate_size", IntermediateSize), ("num_attention_heads", Heads),
            ("num_key_value_heads", KeyHeadCount), ("max_position_embeddings", MaximumPositions), ("head_dim", HeadSize ?? 1)).ToList();
        foreach (var problem in wrong.Concat(Outside("attention_dropout", AttentionDropout, 0, 1)).Concat(Outside("rms_norm_eps", NormEpsilon, 0, 1))
            .Concat(Outside("initializer_range", InitialSpread, 0, double.PositiveInfinity)).Concat(Outside("rope_theta", RopeTheta, 1, double.PositiveInfinity)))
        {
            yield return problem;
        }
        if (Activation != "silu")
            yield return $"'hidden_act' is \"{Activation}\"; \"silu\" is the one there is.";
        if (wrong.Count > 0)
            yield break;
        if ((long)Heads * HeadDim > MostWidth)
            yield return $"'num_attention_heads' is {Heads} and heads are {HeadDim} wide; together they must be at most {MostWidth} wide.";
        if (HeadSize is null && HiddenSize % Heads != 0)
            yield return $"'hidden_size' is {HiddenSize} and 'num_attention_heads' {Heads}; the first must be a multiple of the second.";
        else if (HeadDim % 2 != 0)
            yield return $"heads are {HeadDim} wide; rotary positions need an even width.";
        if (Heads % KeyHeadCount != 0)
            yield return $"'num_attention_heads' is {Heads} and 'num_key_value_heads' {KeyHeadCount}; the first must be a multiple of the second.";
        foreach (var problem in AttentionProblems())
            yield return problem;
    }
}
