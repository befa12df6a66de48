using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the task `cycle-navigation`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record CycleNavigationOptions : FormalLanguageOptions
{
    private const int MostPlaces = 1000;

    /// <summary>Places on the cycle.</summary>
    [JsonPropertyName("places")] public int PlaceCount { get; init; } = 5;

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (PlaceCount is < 2 or > MostPlaces)
            yield return $"'places' is {PlaceCount}; it must be from 2 to {MostPlaces}.";
    }
}
