using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.MinRnn;

/// <summary>
/// A stack of QRNN layers (Bradbury et al. 2017) under the keys of salesforce's pytorch-qrnn. With a vocabulary it is a language model, with
/// classes a classifier of sequences of vectors, with neither the bare stack.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("layout", "use_cuda", "save_prev_x")]
public sealed record QrnnConfig : ModelConfig
{
    /// <summary>How many ids there are; null for vectors. Ours: the original project has layers only.</summary>
    [JsonPropertyName(Forms.VocabKey)] public int? VocabSize { get; init; } = 256;

    /// <summary>Width of the vectors, or of the embedding.</summary>
    [JsonPropertyName("input_size")] public int InputDim { get; init; } = 128;

    /// <summary>Width of every layer's state.</summary>
    [JsonPropertyName("hidden_size")] public int HiddenDim { get; init; } = 128;

    /// <summary>How many layers.</summary>
    [JsonPropertyName("num_layers")] public int LayerCount { get; init; } = 4;

    /// <summary>Steps that a layer's linear map sees: 1, or 2 for this one and the one before; k in the paper.</summary>
    [JsonPropertyName("window")] public int Window { get; init; } = 1;

    /// <summary>Probability that an element keeps its old state, in training; its expectation in evaluation.</summary>
    [JsonPropertyName("zoneout")] public double Zoneout { get; init; }

    /// <summary>Whether there is an output gate: fo-pooling; otherwise f-pooling.</summary>
    [JsonPropertyName("output_gate")] public bool OutputGate { get; init; } = true;

    /// <summary>Share of each layer's outputs but the last's that is dropped in training.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>Whether the linear maps have biases; in the original project, too, they must.</summary>
    [JsonPropertyName("bias")] public bool HasBias { get; init; } = true;

    /// <summary>Whether the batch comes before time; as in the original project it must not.</summary>
    [JsonPropertyName("batch_first")] public bool IsBatchFirst { get; init; }

    /// <summary>Whether time is run through both ways; as in the original project it must not.</summary>
    [JsonPropertyName("bidirectional")] public bool IsBidirectional { get; init; }

    /// <summary>Classes of a classifier of vectors; null for the bare stack. Ours.</summary>
    [JsonPropertyName("num_classes")] public int? ClassCount { get; init; }

    /// <summary>What of the sequence a classifier scores. Ours.</summary>
    [JsonPropertyName("pooling")] public SequencePooling Pooling { get; init; } = SequencePooling.Mean;

    /// <summary>AdamW at 1e-3; the paper's RMSprop has the same rate.</summary>
    [JsonIgnore]
    public override TrainingSettings Training => new() { LearningRate = 1e-3, GradientClip = 1 };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[] { ("input_size", InputDim), ("hidden_size", HiddenDim), ("num_layers", LayerCount) })
        {
            if (value is < 1 or > 1 << 16)
                yield return $"'{key}' is {value}; it must be from 1 to {1 << 16}.";
        }
        if (VocabSize is < 1 or > 1 << 24)
            yield return $"'{Forms.VocabKey}' is {VocabSize}; it must be from 1 to {1 << 24}.";
        if (ClassCount is < 1 or > 1 << 20)
            yield return $"'num_classes' is {ClassCount}; it must be from 1 to {1 << 20}.";
        if (VocabSize is not null && ClassCount is not null)
            yield return $"'{Forms.VocabKey}' and 'num_classes' are both set; a vocabulary makes a language model. Set {Forms.VocabKey}=null for a classifier.";
        if (Window is not (1 or 2))
            yield return $"'window' is {Window}; it must be 1 or 2.";
        foreach (var (key, value, needed) in new[] { ("bias", HasBias, true), ("batch_first", IsBatchFirst, false), ("bidirectional", IsBidirectional, false) })
        {
            if (value != needed)
                yield return $"'{key}' is {(value ? "true" : "false")}; as in the original project it must be {(needed ? "true" : "false")}.";
        }
        if (!(Zoneout is >= 0 and < 1))
            yield return $"'zoneout' is {Zoneout}; it must be at least 0 and below 1.";
        if (!(Dropout is >= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
        if (Pooling == SequencePooling.None)
            yield return "'pooling' is none; a classifier of whole sequences needs mean or last.";
    }
}
