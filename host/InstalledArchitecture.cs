using Zoo.Architectures;

namespace Zoo.Host;

/// <summary>An architecture and the plugin that brought it.</summary>
/// <param name="Architecture">The plugin's object.</param>
/// <param name="Plugin">The plugin's name.</param>
/// <param name="PluginVersion">Its version.</param>
/// <param name="PluginFolder">The folder of its DLL, where its golden cases lie.</param>
internal sealed record InstalledArchitecture(IModelArchitecture Architecture, string Plugin, string PluginVersion, string PluginFolder)
{
    /// <summary>Read once: a plugin's property may build a new object each time.</summary>
    public ArchitectureInfo Info { get; } = Architecture.Info;
}
