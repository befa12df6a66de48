using System.Text.Json.Serialization;
using Zoo.Architectures;

namespace Zoo.Faulty;

/// <summary>Hyperparameters of <see cref="TinyModel"/>.</summary>
internal sealed record TinyConfig : ModelConfig
{
    [JsonPropertyName("image_size")]
    public int ImageSize { get; init; } = 16;

    [JsonPropertyName("num_classes")]
    public int ClassCount { get; init; } = 10;

    public override IEnumerable<string> Problems()
    {
        if (ImageSize < 1)
            yield return $"image_size is {ImageSize}; it must be at least 1.";
        if (ClassCount < 2)
            yield return $"num_classes is {ClassCount}; it must be at least 2.";
    }
}
