using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.XLstm.Config;

/// <summary>A gated feed-forward part, under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("embedding_dim")]
public sealed record FeedForwardConfig : Settings
{
    /// <summary>Inner width over the model's.</summary>
    [JsonPropertyName("proj_factor")] public double ProjectionFactor { get; init; } = 1.3;

    /// <summary>The gate's nonlinearity.</summary>
    [JsonPropertyName("act_fn")] public FeedForwardActivation Activation { get; init; } = FeedForwardActivation.Gelu;

    /// <summary>Share of outputs dropped in training.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>Whether the projections have biases.</summary>
    [JsonPropertyName("bias")] public bool Bias { get; init; }

    /// <summary>Its kind; the original knows one.</summary>
    [JsonPropertyName("ff_type")] public string Kind { get; init; } = "ffn_gated";

    /// <summary>Whether the inner width is rounded up to the multiple, not down.</summary>
    [JsonPropertyName("round_proj_up_dim_up")] public bool RoundUp { get; init; } = true;

    /// <summary>What the inner width is a multiple of.</summary>
    [JsonPropertyName("round_proj_up_to_multiple_of")] public int Multiple { get; init; } = 64;

    /// <summary>Inner width in a model of that width.</summary>
    internal int InnerDim(int modelDim) => XLstmConfig.RoundedDim(ProjectionFactor * modelDim, Multiple, RoundUp);

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        if (ProjectionFactor is not (> 0 and < XLstmConfig.MostFactor))
            yield return $"'proj_factor' is {ProjectionFactor}; it must be above 0 and below {XLstmConfig.MostFactor}.";
        if (Multiple is < 1 or > XLstmConfig.Largest)
            yield return $"'round_proj_up_to_multiple_of' is {Multiple}; it must be from 1 to {XLstmConfig.Largest}.";
        if (Kind != "ffn_gated")
            yield return $"'ff_type' is \"{Kind}\"; it must be \"ffn_gated\".";
        if (Dropout is not (>= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
    }
}
