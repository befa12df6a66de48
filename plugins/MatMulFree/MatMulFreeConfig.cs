using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;

namespace Zoo.MatMulFree;

/// <summary>Hyperparameters of a MatMul-free language model (Zhu et al. 2024), under the keys of the original project's HGRNBitConfig.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("attn_mode", "max_position_embeddings", "use_cache", "fuse_cross_entropy", "pad_token_id", "bos_token_id", "eos_token_id", "architectures",
    "model_type", "torch_dtype", "dtype", "transformers_version", "_name_or_path", "auto_map")]
public sealed record MatMulFreeConfig : ModelConfig
{
    /// <summary>Token ids.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 32000;

    /// <summary>Width of the residual stream; d in the paper.</summary>
    [JsonPropertyName("hidden_size")] public int ModelDim { get; init; } = 2048;

    /// <summary>Blocks.</summary>
    [JsonPropertyName("num_hidden_layers")] public int LayerCount { get; init; } = 24;

    /// <summary>Heads of the token mixer; its recurrence is elementwise, so they change no value.</summary>
    [JsonPropertyName("num_heads")] public int HeadCount { get; init; } = 1;

    /// <summary>Channels of the token mixer for one of the residual stream.</summary>
    [JsonPropertyName("expand_ratio")] public int ExpandRatio { get; init; } = 1;

    /// <summary>Whether a short causal convolution comes before the recurrence.</summary>
    [JsonPropertyName("use_short_conv")] public bool UseShortConv { get; init; }

    /// <summary>Its width.</summary>
    [JsonPropertyName("conv_size")] public int ConvWidth { get; init; } = 4;

    /// <summary>Whether there is one convolution, of what the projections read, instead of one of each projection.</summary>
    [JsonPropertyName("share_conv_kernel")] public bool ShareConv { get; init; } = true;

    /// <summary>Whether forget gates have learned lower bounds from the second layer on.</summary>
    [JsonPropertyName("use_lower_bound")] public bool UseLowerBound { get; init; } = true;

    /// <summary>The channel mixer has about this times d² parameters, where 'intermediate_size' says nothing.</summary>
    [JsonPropertyName("hidden_ratio")] public int? HiddenRatio { get; init; } = 4;

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
    /// Whether the head is a ternary layer, as in the published code, or a matrix in full precision, as the paper has it. A key of ours.
    /// </summary>
    [JsonPropertyName("ternary_head")] public bool TernaryHead { get; init; } = true;

    /// <summary>Channels of the token mixer.</summary>
    [JsonIgnore] public int InnerDim => ModelDim * ExpandRatio;

    /// <summary>Channels of the channel mixer.</summary>
    [JsonIgnore] public int IntermediateDim => GivenIntermediateDim ?? ((int)(ModelDim * (long)(HiddenRatio ?? 4) * 2 / 3) + 255) / 256 * 256;

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
            ("vocab_size", VocabSize), ("hidden_size", ModelDim), ("num_hidden_layers", LayerCount), ("num_heads", HeadCount), ("expand_ratio", ExpandRatio),
            ("conv_size", ConvWidth), ("hidden_ratio", HiddenRatio ?? 4), ("intermediate_size", GivenIntermediateDim ?? 1),
        })
        {
            if (value < 1)
                yield return $"'{key}' is {value}; it must be at least 1.";
        }
        if (HeadCount > 0 && ModelDim % HeadCount != 0)
            yield return $"'hidden_size' is {ModelDim} and 'num_heads' is {HeadCount}; the first must be a multiple of the second.";
        if (Activation is not ("swish" or "silu"))
            yield return $"'hidden_act' is \"{Activation}\"; it must be \"swish\".";
        if (!(NormEpsilon >= 0 && double.IsFinite(NormEpsilon)))
            yield return $"'rms_norm_eps' is {NormEpsilon}; it must be at least 0.";
        if (!(InitialSpread >= 0 && double.IsFinite(InitialSpread)))
            yield return $"'initializer_range' is {InitialSpread}; it must be at least 0.";
    }
}
