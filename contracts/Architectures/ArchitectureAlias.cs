namespace Zoo.Architectures;

/// <summary>Another name of an architecture.</summary>
/// <param name="Name">The name.</param>
/// <param name="Preset">The preset that it means.</param>
public sealed record ArchitectureAlias(string Name, string Preset);
