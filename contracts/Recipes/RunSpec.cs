namespace Zoo.Recipes;

/// <summary>A training run that a recipe wants: the options of `zoo train`.</summary>
/// <param name="Label">Which row or arm it belongs to.</param>
/// <param name="Model">Architecture or alias.</param>
public sealed record RunSpec(string Label, string Model)
{
    /// <summary>Preset; null for the one that the name means.</summary>
    public string? Preset { get; init; }

    /// <summary>Task; null for the architecture's own.</summary>
    public string? Task { get; init; }

    /// <summary>`--set key=value` texts.</summary>
    public IReadOnlyList<string> Sets { get; init; } = [];

    /// <summary>Data; null for what the task generates.</summary>
    public string? DataPath { get; init; }

    /// <summary>Steps; null for the settings' own.</summary>
    public long? Steps { get; init; }

    /// <summary>Steps between evaluations; null for the host's choice.</summary>
    public long? EvalEvery { get; init; }

    /// <summary>The run's seed.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Which backends, as `--kernels` has it.</summary>
    public string? Kernels { get; init; }
}
