using Zoo.Host.Plugins;

namespace Zoo.Host.Cli;

/// <summary>What a command works with: where its words go, and what is installed, loaded when it is first asked for.</summary>
internal sealed class Session(Output output, Func<Catalog> loadCatalog, Func<PluginCatalog>? loadPlugins = null)
{
    private Catalog? _catalog;

    /// <summary>Where the command's words go.</summary>
    public Output Output { get; } = output;

    /// <summary>Every plugin found, with the reasons of those that are disabled.</summary>
    public PluginCatalog Plugins => loadPlugins?.Invoke() ?? throw new InvalidOperationException("This session was made without plugins.");

    /// <summary>What is installed.</summary>
    public Catalog Catalog => _catalog ??= loadCatalog();
}
