using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `modular-arithmetic`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ModularArithmeticOptions : FormalLanguageOptions
{
    private const int LongestNested = 10_000;

    /// <summary>Whether the expression is nested in brackets; without them multiplication goes before addition.</summary>
    [JsonPropertyName("brackets")] public bool Brackets { get; init; }

    /// <summary>Whether numbers are multiplied too.</summary>
    [JsonPropertyName("multiply")] public bool Multiply { get; init; } = true;

    /// <summary>Numbers are 0 to modulus - 1.</summary>
    [JsonPropertyName("modulus")] public int Modulus { get; init; } = 5;

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (Modulus is < 2 or > 10)
            yield return $"'modulus' is {Modulus}; it must be from 2 to 10.";
        if (Brackets && LongestTest > LongestNested)
        {
            var key = TestLength is null ? "length" : "test_length";
            yield return $"'{key}' makes expressions of {LongestTest} symbols; with brackets {LongestNested} are the most.";
        }
    }
}
