using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.MatMulFree;

/// <summary>Hyperparameters of a MatMul-free language model (Zhu et al. 2024), under the keys of the original project's HGRNBitConfig.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("max_position_embeddings", "use_cache", "fuse_cross_entropy", "bos_token_id", "eos_token_id", "architectures",
    "model_type", "torch_dtype", "dtype", "transformers_version", "_name_or_path", "auto_map")]
public sealed record MatMulFreeConfig : ModelConfig
{
    private const string OnlyMode = "fused_recurrent";
    private const int UsualHiddenRatio = 4;
    private const int MostChannels = 1 << 24;
    private const int MostLayers = 1 << 16;

    /// <summary>Token ids.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 32000;

    /// <summary>Width of the residual stream; d in the paper.</summary>
    [JsonPropertyName("hidden_size")] public int ModelDim { get; init; } = 2048;

    /// <summary>Blocks.</summary>
    [JsonPropertyName("num_hidden_layers")] public int LayerCount { get; init; } = 24;

    /// <summary>How the original runs its recurrence: "fused_recurrent", the only way it has.</summary>
    [JsonPropertyName("attn_mode")] public string RecurrenceMode { get; init; } = OnlyMode;

    /// <summary>Heads of the token mixer; its recurrence is elementwise, so they change no value.</summary>
    [JsonPropertyName("num_heads")] public int HeadCount { get; init; } = 1;

    /// <summary>Channels of the token mixer for one of the residual stream; their number is rounded down.</summary>
    [JsonPropertyName("expand_ratio")] public double ExpandRatio { get; init; } = 1;

    /// <summary>Whether a short causal convolution comes before the recurrence.</summary>
    [JsonPropertyName("use_short_conv")] public bool UseShortConv { get; init; }

    /// <summary>Its width.</summary>
    [JsonPropertyName("conv_size")] public int ConvWidth { get; init; } = 4;

    /// <summary>Whether there is one convolution, of what the projections read, instead of one of each projection.</summary>
    [JsonPropertyName("share_conv_kernel")] public bool ShareConv { get; init; } = true;

    /// <summary>Whether forget gates have learned lower bounds from the second layer on.</summary>
    [JsonPropertyName("use_lower_bound")] public bool UseLowerBound { get; init; } = true;

    /// <summary>The channel mixer has about this times d² parameters, where 'intermediate_size' says nothing.</summary>
    [JsonPropertyName("hidden_ratio")] public double? HiddenRatio { get; init; } = UsualHiddenRatio;

    /// <summary>Channels of the channel mixer; null for two thirds of hidden_ratio · d, rounded up to a multiple of 256.</summary>
    [JsonPropertyName("intermediate_size")] public int? GivenIntermediateDim { get; init; }

    /// <summary>The gate's activation in the channel mixer: "swish", which is "silu".</summary>
    [JsonPropertyName("hidden_act")] public string Activation { get; init; } = "swish";

    /// <summary>ε of the norms of blocks and gates; those inside of ternary layers have 1e-6, whatever this says.</summary>
    [JsonPropertyName("rms_norm_eps")] public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Standard deviation of what is initialised normally.</summary>
    [JsonPropertyName("initializer_range")] public double InitialSpread { get; init; } = 0.02;

    /// <summary>Whether the head's weight is the embedding.</summary>
    [JsonPropertyName("tie_word_embeddings")] public bool TieEmbeddings { get; init; }

    /// <summary>
    /// An id whose embedding is not trained: it starts at zero, and no gradient reaches it from the inputs. Negative ones count from the end.
    /// </summary>
    [JsonPropertyName("pad_token_id")] public int? PaddingId { get; init; }

    /// <summary>
    /// Whether the head is a ternary layer, as in the published code, or a matrix in full precision, as the paper has it. A key of ours.
    /// </summary>
    [JsonPropertyName("ternary_head")] public bool TernaryHead { get; init; } = true;

    /// <summary>Channels of the token mixer.</summary>
    [JsonIgnore] public int InnerDim => (int)(ModelDim * ExpandRatio);

    /// <summary>Channels of the channel mixer.</summary>
    [JsonIgnore] public int IntermediateDim => GivenIntermediateDim ?? ((int)(ModelDim * (HiddenRatio ?? UsualHiddenRatio) * 2 / 3) + 255) / 256 * 256;

    /// <summary>
    /// Channels of the lower bounds. The first layer has no bound; where it is the only one, the original's parameter has the stream's width, whatever
    /// the ratio, and nothing reads it.
    /// </summary>
    [JsonIgnore] public int LowerBoundDim => LayerCount == 1 ? ModelDim : InnerDim;

    /// <summary>The row of the embedding that stays as it is; null for none.</summary>
    [JsonIgnore] public int? PaddingRow => PaddingId < 0 ? PaddingId + VocabSize : PaddingId;

    /// <summary>
    /// The paper's: AdamW, a rate many times a Transformer's, along a cosine and halved at half of the run (section 4.2 and appendix).
    /// </summary>
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = ModelDim switch { <= 256 => 1e-2, <= 1024 => 4e-3, <= 2048 => 2.5e-3, _ => 1.5e-3 },
        Schedule = ScheduleKind.CosineStep,
        StepFactor = 0.5,
        StepAt = [0.5],
        FinalLearningRateFactor = 0.0,
        WarmupSteps = 50,
        WeightDecay = 0.01,
        Beta1 = 0.9,
        Beta2 = 0.95,
        Epsilon = 1e-8,
        GradientClip = 1,
    };

    internal static MatMulFreeConfig Sized(int modelDim, int layers, int vocab = 32000) => new() { ModelDim = modelDim, LayerCount = layers, VocabSize = vocab };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[]
        {
            ("vocab_size", VocabSize), ("hidden_size", ModelDim), ("num_hidden_layers", LayerCount), ("num_heads", HeadCount),
            ("conv_size", ConvWidth), ("intermediate_size", GivenIntermediateDim ?? 1),
        })
        {
            var most = key == "num_hidden_layers" ? MostLayers : MostChannels;
            if (value < 1 || value > most)
                yield return $"'{key}' is {value}; it must be from 1 to {most}.";
        }
        foreach (var (key, ratio, channels) in new[]
        {
            ("expand_ratio", ExpandRatio, ModelDim * ExpandRatio), ("hidden_ratio", HiddenRatio ?? UsualHiddenRatio, ModelDim * (HiddenRatio ?? UsualHiddenRatio) * 2 / 3),
        })
        {
            if (ModelDim >= 1 && !(channels is >= 1 and < MostChannels))
                yield return $"'{key}' is {ratio}; with a 'hidden_size' of {ModelDim} there must be 1 to {MostChannels} channels.";
        }
        if (HeadCount > 0 && ModelDim % HeadCount != 0)
            yield return $"'hidden_size' is {ModelDim} and 'num_heads' is {HeadCount}; the first must be a multiple of the second.";
        else if (HeadCount > 0 && InnerDim % HeadCount != 0)
            yield return $"'expand_ratio' is {ExpandRatio}: a mixer of {InnerDim} channels; they must be a multiple of 'num_heads', {HeadCount}.";
        if (RecurrenceMode != OnlyMode)
            yield return $"'attn_mode' is \"{RecurrenceMode}\"; it must be \"{OnlyMode}\".";
        if (PaddingId is { } id && VocabSize >= 1 && !(id >= -VocabSize && id < VocabSize))
            yield return $"'pad_token_id' is {id}; it must be null, or an id of the {VocabSize}.";
        if (Activation is not ("swish" or "silu"))
            yield return $"'hidden_act' is \"{Activation}\"; it must be \"swish\".";
        if (!(NormEpsilon >= 0 && double.IsFinite(NormEpsilon)))
            yield return $"'rms_norm_eps' is {NormEpsilon}; it must be at least 0.";
        if (!(InitialSpread >= 0 && double.IsFinite(InitialSpread)))
            yield return $"'initializer_range' is {InitialSpread}; it must be at least 0.";
    }
}
