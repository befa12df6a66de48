using System.Text.Json.Serialization;

namespace Zoo.MinRnn;

/// <summary>LSTM blocks.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record LstmConfig : GatedRnnConfig
{
    /// <inheritdoc/>
    [JsonIgnore] public override bool IsLstm => true;
}
