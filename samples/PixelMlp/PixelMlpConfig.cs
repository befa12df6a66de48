using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Training;

namespace PixelMlp;

/// <summary>Hyperparameters of a perceptron with one hidden layer. The JSON keys are what users set and what config.json keeps.</summary>
public sealed record PixelMlpConfig : ModelConfig
{
    /// <summary>Units of the hidden layer.</summary>
    [JsonPropertyName("hidden_size")] public int HiddenDim { get; init; } = 64;

    /// <summary>"tanh", "relu", or the name of an installed op from x to y.</summary>
    [JsonPropertyName("activation")] public string Activation { get; init; } = "tanh";

    // The four that the task implies; a user who sets one of them wins.

    /// <summary>Planes of an image.</summary>
    [JsonPropertyName("in_channels")] public int Channels { get; init; } = 1;

    /// <summary>Rows of an image.</summary>
    [JsonPropertyName("image_height")] public int Height { get; init; } = 16;

    /// <summary>Columns of an image.</summary>
    [JsonPropertyName("image_width")] public int Width { get; init; } = 16;

    /// <summary>Classes to tell apart.</summary>
    [JsonPropertyName("num_classes")] public int ClassCount { get; init; } = 10;

    /// <summary>How it trains unless the user says otherwise; what is left out here is the task's choice, then the host's.</summary>
    public override TrainingSettings Training => new() { LearningRate = 3e-3, Schedule = ScheduleKind.Cosine };

    /// <summary>Everything that is wrong, not just the first, for one answer. Unknown keys and wrong types never get here.</summary>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[]
        {
            ("hidden_size", HiddenDim), ("in_channels", Channels), ("image_height", Height), ("image_width", Width),
            ("num_classes", ClassCount),
        })
        {
            if (value is < 1 or > 65_536)
                yield return $"'{key}' is {value}; it must be between 1 and 65,536.";
        }
    }
}
