using System.Text.Json.Serialization;
using Zoo.Configuration;

namespace Zoo.SageAttention;

/// <summary>How rotary angles are stretched for sequences longer than those of the training, under Hugging Face's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record RopeScaling : Settings
{
    internal const string TypeKey = "rope_type";

    private const string Linear = "linear", Llama3 = "llama3";

    /// <summary>"linear": every frequency is divided by the factor; "llama3": low ones are, high ones stay, those between are in between.</summary>
    [JsonPropertyName(TypeKey)] public string Type { get; init; } = Linear;

    /// <summary>What frequencies are divided by.</summary>
    [JsonPropertyName("factor")] public double Factor { get; init; } = 1;

    /// <summary>Of "llama3": frequencies with fewer turns than this over the original length are low.</summary>
    [JsonPropertyName("low_freq_factor")] public double? LowTurns { get; init; }

    /// <summary>Of "llama3": those with more turns than this are high.</summary>
    [JsonPropertyName("high_freq_factor")] public double? HighTurns { get; init; }

    /// <summary>Of "llama3": the longest sequence of the training before.</summary>
    [JsonPropertyName("original_max_position_embeddings")] public int? OriginalPositions { get; init; }

    /// <summary>A frequency, angle a position, as it is with the scaling; rounded as Hugging Face's code rounds.</summary>
    public float Scaled(float frequency)
    {
        var divided = frequency / (float)Factor;
        if (Type == Linear)
            return divided;
        var length = 2 * MathF.PI / frequency;              // positions of one turn
        if (length > (float)(OriginalPositions!.Value / LowTurns!.Value))
            return divided;
        if (length < (float)(OriginalPositions.Value / HighTurns!.Value))
            return frequency;
        var kept = (float)((OriginalPositions.Value / length - LowTurns.Value) / (HighTurns.Value - LowTurns.Value));
        return ((1 - kept) * divided) + (kept * frequency);
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        if (Type is not (Linear or Llama3))
            yield return $"'{TypeKey}' is \"{Type}\"; it must be \"{Linear}\" or \"{Llama3}\", \"default\" for none, or \"dynamic\", which is none up to max_position_embeddings.";
        if (!(Factor >= 1 && double.IsFinite(Factor)))
            yield return $"'factor' is {Factor}; it must be at least 1.";
        if (Type == Llama3 && !(LowTurns > 0 && HighTurns > LowTurns && double.IsFinite(HighTurns.Value) && OriginalPositions >= 1))
        {
            yield return $"'low_freq_factor' is {Said(LowTurns)}, 'high_freq_factor' {Said(HighTurns)} and 'original_max_position_embeddings' {Said(OriginalPositions)}; " +
                $"\"{Llama3}\" needs all three, above 0, and the second above the first.";
        }

        static string Said(object? value) => FormattableString.Invariant($"{value ?? "null"}");
    }
}
