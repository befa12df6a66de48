using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `listops`. The Long Range Arena has length 1999, min_length 501, max_depth 10, max_args 10.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ListOpsOptions : GeneratedOptions
{
    private const int Most = 100;

    /// <summary>Tokens of the longest expression. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 128;

    /// <summary>Tokens of the shortest expression.</summary>
    [JsonPropertyName("min_length")] public int MinLength { get; init; } = 16;

    /// <summary>How deep operators are nested: at this depth there are numbers only.</summary>
    [JsonPropertyName("max_depth")] public int MaxDepth { get; init; } = 4;

    /// <summary>The most arguments of an operator; at least two.</summary>
    [JsonPropertyName("max_args")] public int MaxArguments { get; init; } = 10;

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (Length is < 1 or > LongestLength)
            yield return $"'length' is {Length}; it must be from 1 to {LongestLength}.";
        if (MinLength < 1 || MinLength > Length)
            yield return $"'min_length' is {MinLength}; it must be from 1 to 'length', {Length}.";
        if (MaxDepth is < 1 or > Most)
            yield return $"'max_depth' is {MaxDepth}; it must be from 1 to {Most}.";
        if (MaxArguments is < 2 or > Most)
            yield return $"'max_args' is {MaxArguments}; it must be from 2 to {Most}.";
    }
}
