namespace Zoo.Host.Plugins;

/// <summary>An assembly that a plugin's code refers to.</summary>
/// <param name="Name">Its simple name.</param>
/// <param name="Version">The version it was compiled against.</param>
internal sealed record AssemblyNeed(string Name, Version Version);
