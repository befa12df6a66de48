using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.LeNet;

/// <summary>Options of the task `digits-1989`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record DigitsOptions : Settings
{
    internal const int MostGenerated = 1_000_000;

    /// <summary>Digits to train on; null for the split's own number, 7,291 where it has none.</summary>
    [JsonPropertyName("train_count")] public int? TrainCount { get; init; }

    /// <summary>Digits held out; null for the split's own number, 2,007 where it has none.</summary>
    [JsonPropertyName("test_count")] public int? TestCount { get; init; }

    /// <summary>Which digits of a real set are taken.</summary>
    [JsonPropertyName("split")] public DigitSplit Split { get; init; } = DigitSplit.Lecun1989;

    /// <summary>What a random split is drawn by.</summary>
    [JsonPropertyName("split_seed")] public uint SplitSeed { get; init; } = 1989;

    /// <summary>What generated digits to train on are drawn by. Those held out are always the same.</summary>
    [JsonPropertyName("generator_seed")] public uint GeneratorSeed { get; init; } = 1989;

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[] { ("train_count", TrainCount), ("test_count", TestCount) })
        {
            if (value is < 1 or > MostGenerated)
                yield return $"'{key}' is {value}; it must be from 1 to {MostGenerated}.";
        }
    }
}
