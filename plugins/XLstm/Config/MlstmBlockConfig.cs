using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.XLstm.Config;

/// <summary>An mLSTM block.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record MlstmBlockConfig : Settings
{
    /// <summary>Its layer.</summary>
    [JsonPropertyName("mlstm")] public MlstmLayerConfig Layer { get; init; } = new();
}
