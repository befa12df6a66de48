using System.Text.Json.Serialization;
using Zoo.Architectures;

namespace Zoo.Tests.Verification;

internal sealed record TinyImageConfig : ModelConfig
{
    [JsonPropertyName("hidden_size")] public int HiddenDim { get; init; } = 6;
    [JsonPropertyName("nested")] public TinyNestedSettings Nested { get; init; } = new();

    public override IEnumerable<string> Problems()
    {
        if (HiddenDim < 1)
            yield return $"hidden_size is {HiddenDim}; it must be at least 1.";
    }
}
