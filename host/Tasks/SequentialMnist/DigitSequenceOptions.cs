using System.Text.Json.Serialization;

namespace Zoo.Host.Tasks;

/// <summary>Options of the tasks `sequential-mnist` and `permuted-mnist`.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record DigitSequenceOptions : DigitsOptions
{
    /// <summary>Pixels a time step, which divide 784: 1 for [784, 1], 28 for a row at a time, [28, 28].</summary>
    [JsonPropertyName("pixels_per_step")] public int PixelsPerStep { get; init; } = 1;

    public override IEnumerable<string> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (PixelsPerStep < 1 || DigitSequences.PixelCount % PixelsPerStep != 0)
            yield return $"'pixels_per_step' is {PixelsPerStep}; it must divide {DigitSequences.PixelCount}, such as 1, 7 or 28.";
    }
}
