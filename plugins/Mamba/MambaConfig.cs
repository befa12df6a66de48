using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.Mamba;

/// <summary>Hyperparameters of a Mamba language model (Gu &amp; Dao 2023), under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("fused_add_norm", "attn_cfg")]
public sealed record MambaConfig : ModelConfig
{
    internal const int MostInner = 1 << 24;    // of any width or count; their sums then fit 32 bits and their products 64
    private const int MostLayers = 1 << 16;

    /// <summary>Width of the residual stream; D in the paper.</summary>
    [JsonPropertyName("d_model")] public int ModelDim { get; init; } = 2560;

    /// <summary>Blocks.</summary>
    [JsonPropertyName("n_layer")] public int LayerCount { get; init; } = 64;

    /// <summary>Width of a feed-forward part; the original has one for hybrid models, this plugin none.</summary>
    [JsonPropertyName("d_intermediate")] public int IntermediateDim { get; init; }

    /// <summary>Token ids.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 50277;

    /// <summary>The mixer's options.</summary>
    [JsonPropertyName("ssm_cfg")] public MixerConfig Mixer { get; init; } = new();

    /// <summary>Blocks with attention in their place; for hybrid models, which this plugin has not.</summary>
    [JsonPropertyName("attn_layer_idx")] public IReadOnlyList<int> AttentionLayers { get; init; } = [];

    /// <summary>RMSNorm instead of LayerNorm.</summary>
    [JsonPropertyName("rms_norm")] public bool RmsNorm { get; init; } = true;

    /// <summary>Whether the residual stream is float32; here it always is, as all that is between products.</summary>
    [JsonPropertyName("residual_in_fp32")] public bool ResidualInFloat32 { get; init; } = true;

    /// <summary>The embedding and the head have rows up to a multiple of this.</summary>
    [JsonPropertyName("pad_vocab_size_multiple")] public int VocabMultiple { get; init; } = 8;

    /// <summary>Whether the head is the embedding.</summary>
    [JsonPropertyName("tie_embeddings")] public bool TieEmbeddings { get; init; } = true;

    /// <summary>Rows of the embedding and of the head.</summary>
    [JsonIgnore] public int PaddedVocabSize => (VocabSize + VocabMultiple - 1) / VocabMultiple * VocabMultiple;

    /// <summary>Channels of the mixer; E·D in the paper.</summary>
    [JsonIgnore] public int InnerDim => (int)(Mixer.ExpandFactor * ModelDim);

    /// <summary>Rank of the projection to step sizes.</summary>
    [JsonIgnore] public int StepRank => Mixer.RankFor(ModelDim);

    /// <summary>The paper's optimiser and weight decay; rate and batch are for models of this size on a processor.</summary>
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = ModelDim <= 128 ? 4e-3 : 1e-3,
        Schedule = ScheduleKind.Cosine,
        FinalLearningRateFactor = 0.05,
        WarmupSteps = 50,
        WeightDecay = 0.1,
        Beta1 = 0.9,
        Beta2 = 0.95,
        Epsilon = 1e-8,
        GradientClip = 1,
    };

    internal static MambaConfig Sized(int modelDim, int layers, int vocab = 50277) => new() { ModelDim = modelDim, LayerCount = layers, VocabSize = vocab };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value, most) in new[]
        {
            ("d_model", ModelDim, MostInner), ("n_layer", LayerCount, MostLayers), ("vocab_size", VocabSize, MostInner), ("pad_vocab_size_multiple", VocabMultiple, MostInner),
        })
        {
            if (value < 1 || value > most)
                yield return $"'{key}' is {value}; it must be from 1 to {most}.";
        }
        if (ModelDim is >= 1 and <= MostInner && !(Mixer.ExpandFactor * ModelDim is >= 1 and <= MostInner))
        {
            yield return $"'ssm_cfg.expand' is {Mixer.ExpandFactor} and 'd_model' {ModelDim}; their product, the channels of the mixer, must be at least 1 " +
                $"and at most {MostInner}.";
        }
        if (IntermediateDim != 0)
            yield return $"'d_intermediate' is {IntermediateDim}; blocks with a feed-forward part are not here, so it must be 0.";
        if (AttentionLayers.Count > 0)
            yield return $"'attn_layer_idx' is [{string.Join(", ", AttentionLayers)}]; blocks with attention are not here, so it must be empty.";
    }
}
