using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.XLstm.Config;

/// <summary>An sLSTM block: the layer, and a feed-forward part after it unless that is null.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record SlstmBlockConfig : Settings
{
    /// <summary>Its layer.</summary>
    [JsonPropertyName("slstm")] public SlstmLayerConfig Layer { get; init; } = new();

    /// <summary>Its feed-forward part; null for none.</summary>
    [JsonPropertyName("feedforward")] public FeedForwardConfig? FeedForward { get; init; } = new();
}
