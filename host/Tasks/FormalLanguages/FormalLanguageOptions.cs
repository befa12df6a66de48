using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the formal languages.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal record FormalLanguageOptions : GeneratedOptions
{
    private const int UsualTestLength = 256;

    /// <summary>Symbols of the longest string to train on. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 40;

    /// <summary>Symbols of the shortest string to train on.</summary>
    [JsonPropertyName("min_length")] public int MinLength { get; init; } = 3;

    /// <summary>Symbols of the longest string to test; those tested begin above length. Null for 256, or twice the length where that is more.</summary>
    [JsonPropertyName("test_length")] public int? TestLength { get; init; }

    /// <summary>Symbols of the longest string to test.</summary>
    [JsonIgnore] public int LongestTest => TestLength ?? Math.Max(UsualTestLength, 2 * Length);

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (Length is < 1 or > LongestLength / 2)
        {
            yield return $"'length' is {Length}; it must be from 1 to {LongestLength / 2}.";
            yield break;
        }
        if (MinLength < 1 || MinLength > Length)
            yield return $"'min_length' is {MinLength}; it must be from 1 to 'length', {Length}.";
        if (LongestTest <= Length || LongestTest > LongestLength)
            yield return $"'test_length' is {LongestTest}; it must be above 'length', {Length}, and at most {LongestLength}.";
    }
}
