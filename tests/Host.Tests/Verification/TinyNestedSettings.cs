using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Tests.Verification;

internal sealed record TinyNestedSettings : Settings
{
    [JsonPropertyName("scale")] public double Scale { get; init; } = 0.5;
}
