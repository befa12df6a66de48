using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `selective-copy`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record SelectiveCopyOptions : GeneratedOptions
{
    private const int MostIds = 1 << 16;

    /// <summary>Noise, L in S4: a row has length + 2 × tokens places. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 64;

    /// <summary>Tokens to copy, M in S4.</summary>
    [JsonPropertyName("tokens")] public int Tokens { get; init; } = 8;

    /// <summary>Ids, A in S4: noise, a marker, and the rest for tokens to copy.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 16;

    /// <summary>Further lengths that are scored at the end of the run.</summary>
    [JsonPropertyName("test_lengths")] public IReadOnlyList<int> TestLengths { get; init; } = [];

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems().Concat(LengthProblems("test_lengths", TestLengths, shortest: 0)))
            yield return problem;
        if (Length is < 0 or > LongestLength)
            yield return $"'length' is {Length}; it must be from 0 to {LongestLength}.";
        if (Tokens is < 1 or > LongestLength)
            yield return $"'tokens' is {Tokens}; it must be from 1 to {LongestLength}.";
        if (VocabSize is < 3 or > MostIds)
            yield return $"'vocab_size' is {VocabSize}; it must be from 3 (noise, marker, one token) to {MostIds}.";
    }
}
