using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.XLstm.Config;

/// <summary>An mLSTM layer, under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
[IgnoredKeys("embedding_dim", "bias", "dropout", "context_length")]     // the stack's own, which overwrite them upstream
public sealed record MlstmLayerConfig : Settings
{
    /// <summary>Taps of the causal convolution.</summary>
    [JsonPropertyName("conv1d_kernel_size")] public int ConvWidth { get; init; } = 4;

    /// <summary>Least channels of a block of the projections to queries, keys and values: there are as many blocks as have room, all of one width.</summary>
    [JsonPropertyName("qkv_proj_blocksize")] public int ProjectionBlock { get; init; } = 4;

    /// <summary>Heads.</summary>
    [JsonPropertyName("num_heads")] public int HeadCount { get; init; } = 4;

    /// <summary>Inner width over the model's.</summary>
    [JsonPropertyName("proj_factor")] public double ProjectionFactor { get; init; } = 2;

    /// <summary>Whether the inner width is rounded up to the multiple, not down.</summary>
    [JsonPropertyName("round_proj_up_dim_up")] public bool RoundUp { get; init; } = true;

    /// <summary>What the inner width is a multiple of.</summary>
    [JsonPropertyName("round_proj_up_to_multiple_of")] public int Multiple { get; init; } = 64;

    /// <summary>Inner width in a model of that width.</summary>
    internal int InnerDim(int modelDim) => XLstmConfig.RoundedDim(ProjectionFactor * modelDim, Multiple, RoundUp);

    /// <summary>Blocks of the projections to queries, keys and values in a model of that width.</summary>
    internal int ProjectionBlocks(int modelDim) => InnerDim(modelDim) / ProjectionBlock;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[]
        {
            ("conv1d_kernel_size", ConvWidth), ("qkv_proj_blocksize", ProjectionBlock), ("num_heads", HeadCount), ("round_proj_up_to_multiple_of", Multiple),
        })
        {
            if (value is < 1 or > XLstmConfig.Largest)
                yield return $"'{key}' is {value}; it must be from 1 to {XLstmConfig.Largest}.";
        }
        if (ProjectionFactor is not (> 0 and < XLstmConfig.MostFactor))
            yield return $"'proj_factor' is {ProjectionFactor}; it must be above 0 and below {XLstmConfig.MostFactor}.";
    }
}
