using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Host.Tasks;

/// <summary>Options of the tasks on digits.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal record DigitsOptions : Settings
{
    private const int Most = 1_000_000;

    /// <summary>Digits to train on: the first ones of the file, or so many generated ones; null for the whole file, or 10,000.</summary>
    [JsonPropertyName("train_count")] public int? TrainCount { get; init; }

    /// <summary>Digits held out, likewise; null for the whole file, or 2,000.</summary>
    [JsonPropertyName("test_count")] public int? TestCount { get; init; }

    /// <summary>What generated digits to train on are drawn by. Those held out are always the same.</summary>
    [JsonPropertyName("generator_seed")] public uint GeneratorSeed { get; init; } = 1;

    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value) in new[] { ("train_count", TrainCount), ("test_count", TestCount) })
        {
            if (value is < 1 or > Most)
                yield return $"'{key}' is {value}; it must be from 1 to {Most}.";
        }
    }
}
