using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `bucket-sort`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record BucketSortOptions : FormalLanguageOptions
{
    private const int MostSymbols = 1 << 16;

    /// <summary>Different symbols.</summary>
    [JsonPropertyName("symbols")] public int SymbolCount { get; init; } = 10;

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (SymbolCount is < 2 or > MostSymbols)
            yield return $"'symbols' is {SymbolCount}; it must be from 2 to {MostSymbols}.";
    }
}
