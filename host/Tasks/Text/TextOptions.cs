using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.Host.Tasks;

/// <summary>Options of the tasks on text.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record TextOptions : Settings
{
    private const int LongestWindow = 1 << 20;

    /// <summary>Tokens of a window, T: the model reads T and predicts the T that follow them, one further on. --length sets it too.</summary>
    [JsonPropertyName("length")] public int Length { get; init; } = 128;

    /// <summary>The part at the end of the text that is held out.</summary>
    [JsonPropertyName("held_out")] public double HeldOut { get; init; } = 0.1;

    /// <summary>Further lengths of windows in which the held-out part is scored at the end of the run.</summary>
    [JsonPropertyName("test_lengths")] public IReadOnlyList<int> TestLengths { get; init; } = [];

    public override IEnumerable<string> Problems()
    {
        if (Length is < 1 or > LongestWindow)
            yield return $"'length' is {Length}; it must be from 1 to {LongestWindow}.";
        if (HeldOut is not (> 0 and < 1))
            yield return $"'held_out' is {HeldOut}; it must lie between 0 and 1.";
        foreach (var length in TestLengths.Where(length => length is < 1 or > LongestWindow))
            yield return $"'test_lengths' has {length}; each must be from 1 to {LongestWindow}.";
        if (TestLengths.Append(Length).Distinct().Count() <= TestLengths.Count)
            yield return $"'test_lengths' is [{string.Join(", ", TestLengths)}]; its lengths must differ from each other and from 'length', {Length}.";
    }
}
