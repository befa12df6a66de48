using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `induction-heads`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record InductionHeadsOptions : GeneratedOptions
{
    /// <summary>The least length: marker, token, marker.</summary>
    public const int ShortestLength = 3;

    private const int MostIds = 1 << 16;
    private const int LongestFactor = 16;

    /// <summary>Tokens of a training sample. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 256;

    /// <summary>Tokens of the shortest training sample; null for samples all of one length, as the paper has them.</summary>
    [JsonPropertyName("min_length")] public int? MinLength { get; init; }

    /// <summary>Ids, one of them the marker.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 16;

    /// <summary>Lengths that are scored; null for the powers of two from 64, or from a quarter of length, to 16 × length.</summary>
    [JsonPropertyName("test_lengths")] public IReadOnlyList<int>? TestLengths { get; init; }

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems().Concat(LengthProblems("test_lengths", TestLengths ?? [], ShortestLength)))
            yield return problem;
        if (TestLengths is { Count: 0 })
            yield return "'test_lengths' is []; name a length at least, or null.";
        if (Length is < ShortestLength or > LongestLength)
            yield return $"'length' is {Length}; it must be from {ShortestLength} to {LongestLength}.";
        if (MinLength is { } least && (least < ShortestLength || least > Length))
            yield return $"'min_length' is {least}; it must be from {ShortestLength} to length, {Length}.";
        if (VocabSize is < 2 or > MostIds)
            yield return $"'vocab_size' is {VocabSize}; it must be from 2 (a marker and a token) to {MostIds}.";
    }

    /// <summary>The lengths that are scored, ascending.</summary>
    public IEnumerable<int> LengthsToTest()
    {
        if (TestLengths is not null)
            return TestLengths.Order();
        var lengths = new SortedSet<int> { Length };
        for (var length = 1L; length <= Math.Min((long)Length * LongestFactor, LongestLength); length *= 2)
        {
            if (length >= Math.Max(Math.Min(64, Length / 4), ShortestLength))
                lengths.Add((int)length);
        }
        return lengths;
    }
}
