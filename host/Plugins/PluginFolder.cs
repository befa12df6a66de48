namespace Zoo.Host.Plugins;

/// <summary>A folder that plugins are looked for in.</summary>
/// <param name="Path">In full.</param>
/// <param name="IsNamed">Whether the user named it (--plugins, ZOO_PLUGINS); the others may be missing.</param>
internal sealed record PluginFolder(string Path, bool IsNamed);
