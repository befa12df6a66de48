using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `mqar`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record MqarOptions : GeneratedOptions
{
    private const int MostIds = 1 << 20;

    /// <summary>Tokens of a sample, even. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 64;

    /// <summary>Pairs of key and value.</summary>
    [JsonPropertyName("num_kv_pairs")] public int PairCount { get; init; } = 4;

    /// <summary>Ids: 0 is filling, the lower half are keys, the upper half values. Zoology's figures have 8192.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 256;

    /// <summary>Exponent of the power law by which queries lie near the pairs: 1 spreads them evenly.</summary>
    [JsonPropertyName("power_a")] public double PowerA { get; init; } = 0.01;

    /// <summary>Whether places without a pair or query hold random ids instead of 0.</summary>
    [JsonPropertyName("random_non_queries")] public bool RandomNonQueries { get; init; }

    /// <summary>Further lengths that are scored at the end of the run.</summary>
    [JsonPropertyName("test_lengths")] public IReadOnlyList<int> TestLengths { get; init; } = [];

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (PairCount is < 1 or > LongestLength / 4)
        {
            yield return $"'num_kv_pairs' is {PairCount}; it must be from 1 to {LongestLength / 4}.";
            yield break;
        }
        if (VocabSize is < 4 or > MostIds)
            yield return $"'vocab_size' is {VocabSize}; it must be from 4 to {MostIds}.";
        else if (VocabSize / 2 - 1 < PairCount)
            yield return $"'num_kv_pairs' is {PairCount}, and 'vocab_size' {VocabSize} has {VocabSize / 2 - 1} keys; each pair needs its own.";
        if (!(PowerA is > 0 and <= 1))
            yield return $"'power_a' is {PowerA}; it must be above 0 and at most 1.";
        foreach (var problem in LengthProblems("test_lengths", TestLengths, shortest: 4 * PairCount))
            yield return problem;
        if (Length < 4 * PairCount || Length > LongestLength)
            yield return $"'length' is {Length}; for {PairCount} pairs it must be from {4 * PairCount} to {LongestLength}.";
        foreach (var (key, length) in TestLengths.Select(length => ("test_lengths", length)).Prepend(("length", Length)))
        {
            if (length % 2 != 0)
                yield return $"'{key}' has {length}; a sample's length must be even.";
        }
    }
}
