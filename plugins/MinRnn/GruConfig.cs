using System.Text.Json.Serialization;

namespace Zoo.MinRnn;

/// <summary>GRU blocks.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record GruConfig : GatedRnnConfig
{
    /// <inheritdoc/>
    [JsonIgnore] public override bool IsLstm => false;
}
