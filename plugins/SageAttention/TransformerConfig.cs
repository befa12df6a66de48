using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.SageAttention.Ops.Sage;

namespace Zoo.SageAttention;

/// <summary>Hyperparameters of a decoder-only Transformer, under one of two sets of keys: nanoGPT's or Llama's.</summary>
public abstract record TransformerConfig : ModelConfig
{
    private protected const int MostWidth = 1 << 24;     // of any width or count; sums of some then fit 32 bits
    private const int MostLayers = 1 << 16;

    /// <summary>How many ids there are; V.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 65;

    /// <summary>
    /// How whole sequences are attended to outside training: "exact" or "sage". Training is exact either way, because quantised attention has no
    /// gradient.
    /// </summary>
    [JsonPropertyName("attention")] public AttentionKind Attention { get; init; }

    /// <summary>Bits of queries and keys where attention is "sage": 8 with smoothed keys, or 4 with smoothed keys and queries.</summary>
    [JsonPropertyName("attention_bits")] public int AttentionBits { get; init; } = 8;

    /// <summary>How the step form keeps keys and values: "float32", or "int8" in at most 0.3 times its memory.</summary>
    [JsonPropertyName("kv_cache")] public CacheKind Cache { get; init; }

    /// <summary>Width of the residual stream; D.</summary>
    [JsonIgnore]
    public abstract int ModelDim { get; }

    /// <summary>How many blocks.</summary>
    [JsonIgnore]
    public abstract int LayerCount { get; }

    /// <summary>How many query heads; H.</summary>
    [JsonIgnore]
    public abstract int HeadCount { get; }

    /// <summary>How many key and value heads.</summary>
    [JsonIgnore]
    public abstract int KeyHeadCount { get; }

    /// <summary>Width of a head.</summary>
    [JsonIgnore]
    public abstract int HeadDim { get; }

    /// <summary>The longest sequence, and what the key and value cache holds.</summary>
    [JsonIgnore]
    public abstract int SequenceLength { get; }

    /// <summary>Sizes that are wrong in either set of keys.</summary>
    /// <param name="layersKey">The key of <see cref="LayerCount"/>.</param>
    /// <param name="sizes">Keys with values that must be at least 1.</param>
    private protected IEnumerable<string> WrongSizes(string layersKey, params IEnumerable<(string Key, int Value)> sizes) =>
        sizes.Append((Key: "vocab_size", Value: VocabSize)).Append((Key: layersKey, Value: LayerCount))
            .Select(s => (s.Key, s.Value, Most: s.Key == layersKey ? MostLayers : MostWidth))
            .Where(s => s.Value < 1 || s.Value > s.Most)
            .Select(s => $"'{s.Key}' is {s.Value}; it must be from 1 to {s.Most}.");

    /// <summary>What is wrong with how attention is computed and kept.</summary>
    private protected IEnumerable<string> AttentionProblems()
    {
        if (AttentionBits is not (8 or 4))
            yield return $"'attention_bits' is {AttentionBits}; it must be 8 or 4.";
        if (Attention == AttentionKind.Sage && HeadDim > SageAttentionOp.MostDims)
            yield return $"'attention' is \"sage\" and heads are {HeadDim} wide; quantised attention takes at most {SageAttentionOp.MostDims}.";
    }

    /// <summary>A value that must be a finite number in a range.</summary>
    private protected static IEnumerable<string> Outside(string key, double value, double least, double below) =>
        value >= least && value < below ? [] : [$"'{key}' is {value}; it must be at least {least} and below {below}."];
}
