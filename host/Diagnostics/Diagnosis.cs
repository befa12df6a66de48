using System.Text.Json.Nodes;

namespace Zoo.Host.Diagnostics;

/// <summary>One line of `zoo doctor`.</summary>
/// <param name="Part">What was looked at: "libtorch".</param>
/// <param name="Status">How it is.</param>
/// <param name="Finding">What was found, in words.</param>
internal sealed record Diagnosis(string Part, DiagnosisStatus Status, string Finding)
{
    /// <summary>What to do about it; null where there is nothing to do.</summary>
    public string? Hint { get; init; }

    /// <summary>Whether Zoo cannot work without it.</summary>
    public bool Needed { get; init; }

    /// <summary>What the user typed wrong, where that is why; null elsewhere.</summary>
    public UserException? Mistake { get; init; }

    /// <summary>The record that other programs read.</summary>
    public JsonObject ToJson() => new()
    {
        ["part"] = Part,
        ["status"] = Status.ToString().ToLowerInvariant(),
        ["finding"] = Finding,
        ["hint"] = Hint,
        ["needed"] = Needed,
    };
}
