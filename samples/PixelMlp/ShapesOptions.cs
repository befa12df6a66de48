using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace PixelMlp;

/// <summary>Difficulty of the task; set as `--set task.noise=0.8`.</summary>
public sealed record ShapesOptions : Settings
{
    /// <summary>Largest noise on a pixel.</summary>
    [JsonPropertyName("noise")] public double Noise { get; init; } = 0.5;

    /// <summary>Largest tilt to either side, in degrees.</summary>
    [JsonPropertyName("tilt")] public double Tilt { get; init; } = 15;

    public override IEnumerable<string> Problems()
    {
        if (Noise is not (>= 0 and <= 10))
            yield return $"'noise' is {Noise}; it must be between 0 and 10.";
        if (Tilt is not (>= 0 and <= 180))
            yield return $"'tilt' is {Tilt}; it must be between 0 and 180.";
    }
}
