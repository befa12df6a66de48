using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Host.Tasks;

/// <summary>Options that every generated task on tokens has.</summary>
internal abstract record GeneratedOptions : Settings
{
    /// <summary>The longest sample that a task writes.</summary>
    public const int LongestLength = 1 << 20;

    private const int MostTests = 1_000_000;
    private const int MostTrain = 100_000_000;   // a pass keeps a number for each

    /// <summary>Samples to train on, in an order of their own each pass; null for fresh ones without end.</summary>
    [JsonPropertyName("train_count")] public long? TrainCount { get; init; }

    /// <summary>Samples of a held-out set.</summary>
    [JsonPropertyName("test_count")] public int TestCount { get; init; } = 512;

    public override IEnumerable<string> Problems()
    {
        if (TrainCount is < 1 or > MostTrain)
            yield return $"'train_count' is {TrainCount}; it must be from 1 to {MostTrain}, or null for samples without end.";
        if (TestCount is < 1 or > MostTests)
            yield return $"'test_count' is {TestCount}; it must be from 1 to {MostTests}.";
    }

    /// <summary>What is wrong with a list of lengths to test at.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="lengths">The lengths.</param>
    /// <param name="shortest">The least length that the task has.</param>
    protected static IEnumerable<string> LengthProblems(string key, IReadOnlyList<int> lengths, int shortest)
    {
        foreach (var length in lengths.Where(length => length < shortest || length > LongestLength))
            yield return $"'{key}' has {length}; each must be from {shortest} to {LongestLength}.";
        if (lengths.Distinct().Count() < lengths.Count)
            yield return $"'{key}' is [{string.Join(", ", lengths)}]; its lengths must differ.";
    }
}
