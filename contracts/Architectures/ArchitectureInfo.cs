namespace Zoo.Architectures;

/// <summary>What an architecture says of itself.</summary>
/// <param name="Name">What the user types, as the original project spells it: lower case, digits, '-' and '_'.</param>
/// <param name="Title">One line for a list.</param>
/// <param name="Paper">Authors, year, title or arXiv number: the source of the equations.</param>
public sealed record ArchitectureInfo(string Name, string Title, string Paper)
{
    /// <summary>What kind of model it builds when no config key says otherwise.</summary>
    public required ModelKind Kind { get; init; }

    /// <summary>Further kinds that some of its configs build.</summary>
    public IReadOnlyList<ModelKind> OtherKinds { get; init; } = [];

    /// <summary>Other names it answers to, each with the preset that the name means.</summary>
    public IReadOnlyList<ArchitectureAlias> Aliases { get; init; } = [];

    /// <summary>The preset that is meant when the user names none.</summary>
    public string DefaultPreset { get; init; } = "default";

    /// <summary>The task that is meant when the user names none; null for the host's default of the kind.</summary>
    public string? DefaultTask { get; init; }

    /// <summary>What the model can do beyond its kind's whole-sequence form, and which exact equivalences it promises.</summary>
    public ModelAbilities Abilities { get; init; } = ModelAbilities.None;

    /// <summary>
    /// Whether its gradients are the derivatives of what it computes; false where roundings pass gradients straight through.
    /// </summary>
    public bool HasExactGradient { get; init; } = true;

    /// <summary>Names of the ops it uses, for `zoo show`.</summary>
    public IReadOnlyList<string> Ops { get; init; } = [];

    /// <summary>What it cannot do or does differently from the paper, in sentences for the user.</summary>
    public IReadOnlyList<string> Limits { get; init; } = [];
}
