using System.Text.Json.Nodes;

namespace Zoo.Host.Verification;

/// <summary>One line of `zoo verify`.</summary>
/// <param name="Case">The golden case's id, or "model/preset/property".</param>
/// <param name="Kind">"golden" or "property".</param>
/// <param name="Subject">The model or op.</param>
/// <param name="Status">How it ended.</param>
internal sealed record CheckResult(string Case, string Kind, string Subject, CheckStatus Status)
{
    /// <summary>Kind of a recorded case.</summary>
    public const string Golden = "golden";

    /// <summary>Kind of a property.</summary>
    public const string Property = "property";

    /// <summary>The largest difference between what came out and what must; null where nothing was compared.</summary>
    public double? MaxAbsoluteError { get; init; }

    /// <summary>Where it was worst; null where nothing was compared.</summary>
    public Deviation? Worst { get; init; }

    /// <summary>Why it did not pass, in a sentence; null when it did.</summary>
    public string? Reason { get; init; }

    /// <summary>Which backend each op ran on.</summary>
    public IReadOnlyDictionary<string, string> Backends { get; init; } = new Dictionary<string, string>();

    /// <summary>The record that other programs read.</summary>
    public JsonObject ToJson() => new()
    {
        ["case"] = Case,
        ["kind"] = Kind,
        ["model_or_op"] = Subject,
        ["status"] = Status.ToString().ToLowerInvariant(),
        ["max_abs_error"] = MaxAbsoluteError is { } error ? Number(error) : null,
        ["worst"] = Worst is { } worst
            ? new JsonObject
            {
                ["tensor"] = worst.Tensor,
                ["index"] = new JsonArray([.. worst.Index.Select(i => JsonValue.Create(i))]),
                ["got"] = Number(worst.Got),
                ["expected"] = Number(worst.Expected),
            }
            : null,
        ["reason"] = Reason,
        ["backends"] = RecordValues.Map(Backends),
    };

    /// <summary>JSON has no infinities: they are null, and the reason tells.</summary>
    private static JsonNode? Number(double value) => double.IsFinite(value) ? JsonValue.Create(value) : null;
}
