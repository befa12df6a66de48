using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.MinRnn;

/// <summary>
/// Layers of linear recurrent units (Orvieto et al. 2023) under the keys of minimal-LRU. With a vocabulary it is a language model that scores
/// every step, otherwise a classifier of sequences of vectors.
/// </summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("training")]
public sealed record LruConfig : ModelConfig
{
    /// <summary>How many ids there are; null for vectors. Ours: the original project feeds one-hot vectors.</summary>
    [JsonPropertyName(Forms.VocabKey)] public int? VocabSize { get; init; } = 256;

    /// <summary>Width of the vectors.</summary>
    [JsonPropertyName("d_input")] public int? InputDim { get; init; }

    /// <summary>Classes.</summary>
    [JsonPropertyName("d_output")] public int? OutputDim { get; init; }

    /// <summary>Width of the residual stream; H in the paper.</summary>
    [JsonPropertyName("d_model")] public int ModelDim { get; init; } = 128;

    /// <summary>Complex dimensions of the state; N in the paper.</summary>
    [JsonPropertyName("d_hidden")] public int StateDim { get; init; } = 128;

    /// <summary>How many layers.</summary>
    [JsonPropertyName("n_layers")] public int LayerCount { get; init; } = 4;

    /// <summary>What of the sequence a classifier scores.</summary>
    [JsonPropertyName("pooling")] public SequencePooling Pooling { get; init; } = SequencePooling.Mean;

    /// <summary>Which normalisation.</summary>
    [JsonPropertyName("norm")] public LruNorm Norm { get; init; } = LruNorm.Layer;

    /// <summary>Whether a layer normalises before its unit; otherwise after the residual sum.</summary>
    [JsonPropertyName("prenorm")] public bool PreNorm { get; init; } = true;

    /// <summary>Smallest |λ| of the ring that eigenvalues start on.</summary>
    [JsonPropertyName("r_min")] public double MinRadius { get; init; } = 0.9;

    /// <summary>Largest |λ| of that ring.</summary>
    [JsonPropertyName("r_max")] public double MaxRadius { get; init; } = 0.999;

    /// <summary>Largest phase of λ at the start.</summary>
    [JsonPropertyName("max_phase")] public double MaxPhase { get; init; } = 6.28;

    /// <summary>Share that is dropped in training; of a whole sequence the same dimensions at every step.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>Outputs of a classifier, each with `d_output` classes.</summary>
    [JsonPropertyName("multidim")] public int OutputCount { get; init; } = 1;

    /// <summary>Factor on the learning rate of ν, θ, γ and B.</summary>
    [JsonPropertyName("lr_factor")] public double RateFactor { get; init; } = 0.5;

    /// <summary>Whether the recurrence is the paper's, or the dense real one that it starts from. Ours.</summary>
    [JsonPropertyName("recurrence")] public LruRecurrence Recurrence { get; init; } = LruRecurrence.ComplexDiagonal;

    /// <summary>AdamW with the paper's weight decay and warm-up.</summary>
    [JsonIgnore]
    public override TrainingSettings Training => new()
    {
        LearningRate = 1e-3,
        WeightDecay = 0.05,
        Schedule = ScheduleKind.Cosine,
        FinalLearningRateFactor = 0,
        GradientClip = 1,
    };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[] { ("d_model", ModelDim), ("d_hidden", StateDim), ("n_layers", LayerCount), ("multidim", OutputCount) })
        {
            if (value is < 1 or > 1 << 16)
                yield return $"'{key}' is {value}; it must be from 1 to {1 << 16}.";
        }
        foreach (var problem in Forms.Problems(VocabSize, ("d_input", InputDim), ("d_output", OutputDim)))
            yield return problem;
        if (VocabSize is not null && OutputCount != 1)
            yield return $"'multidim' is {OutputCount}; a language model has one output.";
        if (!(MinRadius >= 0 && MinRadius < 1 && MinRadius <= MaxRadius && MaxRadius is > 0 and <= 1))
            yield return $"'r_min' is {MinRadius} and 'r_max' is {MaxRadius}; they must be 0 <= r_min <= r_max <= 1, with r_min below 1 and r_max above 0.";
        if (!(MaxPhase > 0 && double.IsFinite(MaxPhase)))
            yield return $"'max_phase' is {MaxPhase}; it must be above 0.";
        if (!(Dropout is >= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
        if (!(RateFactor >= 0 && double.IsFinite(RateFactor)))
            yield return $"'lr_factor' is {RateFactor}; it must be at least 0.";
    }
}
