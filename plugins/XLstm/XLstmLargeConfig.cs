using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Training;
using Zoo.XLstm.Config;

namespace Zoo.XLstm;

/// <summary>Hyperparameters of a large xLSTM (Beck et al. 2025, xLSTM 7B), under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys(
    "norm_reduction_force_float32", "chunkwise_kernel", "sequence_kernel", "step_kernel", "mode", "return_last_states", "autocast_kernel_dtype", "inference_state_dtype")]
public sealed record XLstmLargeConfig : ModelConfig
{
    /// <summary>Width of the residual stream.</summary>
    [JsonPropertyName("embedding_dim")] public int ModelDim { get; init; } = 128;

    /// <summary>Heads.</summary>
    [JsonPropertyName("num_heads")] public int HeadCount { get; init; } = 4;

    /// <summary>Blocks.</summary>
    [JsonPropertyName("num_blocks")] public int BlockCount { get; init; } = 4;

    /// <summary>Token ids.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 256;

    /// <summary>Whether projections and norms have biases; gates always have.</summary>
    [JsonPropertyName("use_bias")] public bool Bias { get; init; }

    /// <summary>ε of every norm.</summary>
    [JsonPropertyName("norm_eps")] public double NormEpsilon { get; init; } = 1e-6;

    /// <summary>Whether a norm follows the blocks.</summary>
    [JsonPropertyName("add_out_norm")] public bool LastNorm { get; init; } = true;

    /// <summary>Width of queries and keys over the model's.</summary>
    [JsonPropertyName("qk_dim_factor")] public double QueryFactor { get; init; } = 0.5;

    /// <summary>Width of values over the model's.</summary>
    [JsonPropertyName("v_dim_factor")] public double ValueFactor { get; init; } = 1;

    /// <summary>Steps of a chunk of the recurrence. Read, and left to the kernels: it changes rounding alone.</summary>
    [JsonPropertyName("chunk_size")] public int ChunkSize { get; init; } = 64;

    /// <summary>ε in mLSTM's denominator.</summary>
    [JsonPropertyName("eps")] public double Epsilon { get; init; } = 1e-6;

    /// <summary>Width of the feed-forward part over the model's.</summary>
    [JsonPropertyName("ffn_proj_factor")] public double FeedForwardFactor { get; init; } = 2.6667;

    /// <summary>What that width is rounded up to a multiple of.</summary>
    [JsonPropertyName("ffn_round_up_to_multiple_of")] public int FeedForwardMultiple { get; init; } = 64;

    /// <summary>Bound that the gates' pre-activations approach.</summary>
    [JsonPropertyName("gate_soft_cap")] public double? GateCap { get; init; } = 15;

    /// <summary>Bound that the logits approach.</summary>
    [JsonPropertyName("output_logit_soft_cap")] public double? LogitCap { get; init; } = 30;

    /// <summary>Whether a layer's projections are several matrices or one.</summary>
    [JsonPropertyName("weight_mode")] public WeightMode WeightMode { get; init; } = WeightMode.Single;

    internal int QueryDim => (int)(ModelDim * QueryFactor);

    internal int ValueDim => (int)(ModelDim * ValueFactor);

    /// <summary>As many multiples as fit into width + multiple - 1, as upstream rounds up: what of the width is less than 1 above a multiple is dropped.</summary>
    internal int FeedForwardDim
    {
        get
        {
            var most = ModelDim * FeedForwardFactor + FeedForwardMultiple - 1;
            return (int)Math.Min(XLstmConfig.Largest, most - most % FeedForwardMultiple);
        }
    }

    /// <summary>As <see cref="XLstmConfig"/>'s.</summary>
    public override TrainingSettings Training => new XLstmConfig().Training;

    internal static XLstmLargeConfig Sized(int modelDim, int heads, int blocks, int vocab) => new() { ModelDim = modelDim, HeadCount = heads, BlockCount = blocks, VocabSize = vocab };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[]
        {
            ("embedding_dim", ModelDim), ("num_heads", HeadCount), ("num_blocks", BlockCount), ("vocab_size", VocabSize), ("chunk_size", ChunkSize),
            ("ffn_round_up_to_multiple_of", FeedForwardMultiple),
        })
        {
            var most = key == "num_blocks" ? XLstmConfig.MostBlocks : XLstmConfig.Largest;
            if (value < 1 || value > most)
                yield return $"'{key}' is {value}; it must be from 1 to {most}.";
        }
        foreach (var (key, value) in new[] { ("qk_dim_factor", QueryFactor), ("v_dim_factor", ValueFactor), ("ffn_proj_factor", FeedForwardFactor) })
        {
            if (value is not (> 0 and < XLstmConfig.MostFactor) || value * ModelDim > XLstmConfig.Largest)
                yield return $"'{key}' is {value}; it must be above 0 and below {XLstmConfig.MostFactor}, and the layer at most {XLstmConfig.Largest} wide.";
        }
        foreach (var (key, value) in new[] { ("norm_eps", NormEpsilon), ("eps", Epsilon) })
        {
            if (!(value >= 0 && double.IsFinite(value)))
                yield return $"'{key}' is {value}; it must be at least 0.";
        }
        foreach (var (key, value) in new[] { ("gate_soft_cap", GateCap), ("output_logit_soft_cap", LogitCap) })
        {
            if (value is not (null or > 0))
                yield return $"'{key}' is {value}; it must be above 0, or null for no cap.";
        }
        if (HeadCount > 0 && (QueryDim < 1 || QueryDim % HeadCount != 0 || ValueDim < 1 || ValueDim % HeadCount != 0))
            yield return $"Queries are {QueryDim} wide and values {ValueDim}; 'num_heads' {HeadCount} must share both evenly.";
    }
}
