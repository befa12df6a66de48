using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Training;

namespace Zoo.MinRnn;

/// <summary>
/// Blocks of convolution, recurrence and feed-forward under the keys of lucidrains' minGRU-pytorch. With a vocabulary it is a language model,
/// with `input_dim` and `num_classes` a classifier of sequences of vectors.
/// </summary>
public abstract record MinLmConfig : ModelConfig
{
    /// <summary>How many ids there are; null for a classifier of vectors.</summary>
    [JsonPropertyName("num_tokens")] public int? VocabSize { get; init; } = 256;

    /// <summary>Width of the residual stream.</summary>
    [JsonPropertyName("dim")] public int ModelDim { get; init; } = 128;

    /// <summary>How many blocks.</summary>
    [JsonPropertyName("depth")] public int LayerCount { get; init; } = 4;

    /// <summary>Width of the feed-forward layer over that of the stream; 0 leaves it and its norm out, as the paper does for selective copying.</summary>
    [JsonPropertyName("ff_mult")] public double FeedForwardFactor { get; init; } = 4;

    /// <summary>Width of the recurrence over that of the stream; α in the paper. At 1 there is no output projection.</summary>
    [JsonPropertyName("expansion")] public double Expansion { get; init; } = 1.5;

    /// <summary>Steps that the convolution sees.</summary>
    [JsonPropertyName("conv_kernel_size")] public int ConvWidth { get; init; } = 3;

    /// <summary>Whether each block begins with a causal convolution.</summary>
    [JsonPropertyName("enable_conv")] public bool EnableConv { get; init; }

    /// <summary>Share of the stream that is dropped after each block in training.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>Width of the vectors of a classifier. Ours: the original project has language models only.</summary>
    [JsonPropertyName("input_dim")] public int? InputDim { get; init; }

    /// <summary>Classes of a classifier. Ours.</summary>
    [JsonPropertyName("num_classes")] public int? ClassCount { get; init; }

    /// <summary>What of the sequence a classifier scores. Ours.</summary>
    [JsonPropertyName("pooling")] public SequencePooling Pooling { get; init; } = SequencePooling.Mean;

    /// <summary>Width of the recurrence.</summary>
    [JsonIgnore] public int InnerDim => (int)(ModelDim * Expansion);

    /// <summary>Width of the feed-forward layer.</summary>
    [JsonIgnore] public int FeedForwardDim => (int)(ModelDim * FeedForwardFactor);

    /// <summary>Whether the recurrence's output is projected back.</summary>
    [JsonIgnore] public bool HasOutputProjection => Expansion != 1;

    /// <summary>AdamW at the paper's rate and clipping for character-level language modelling.</summary>
    [JsonIgnore]
    public override TrainingSettings Training => new() { LearningRate = 1e-3, GradientClip = 0.25 };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[] { ("dim", ModelDim), ("depth", LayerCount), ("conv_kernel_size", ConvWidth) })
        {
            if (value is < 1 or > 1 << 16)
                yield return $"'{key}' is {value}; it must be from 1 to {1 << 16}.";
        }
        foreach (var problem in Forms.Problems(VocabSize, ("input_dim", InputDim), ("num_classes", ClassCount)))
            yield return problem;
        if (!(FeedForwardFactor >= 0 && FeedForwardFactor * ModelDim <= 1 << 20))
            yield return $"'ff_mult' is {FeedForwardFactor}; it must be at least 0, and the layer at most {1 << 20} wide.";
        if (!(Expansion > 0 && Expansion * ModelDim is >= 1 and <= 1 << 20))
            yield return $"'expansion' is {Expansion}; the recurrence must be from 1 to {1 << 20} wide, expansion × dim.";
        if (!(Dropout is >= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
        if (Pooling == SequencePooling.None)
            yield return "'pooling' is none; a classifier of whole sequences needs mean or last.";
    }
}
