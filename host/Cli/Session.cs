using Microsoft.Extensions.DependencyInjection;
using Zoo.Host.Plugins;

namespace Zoo.Host.Cli;

/// <summary>What a command works with: where its words go, and what is installed, loaded when it is first asked for.</summary>
/// <param name="services">The program's services.</param>
internal sealed class Session(IServiceProvider services)
{
    /// <summary>Where the command's words go.</summary>
    public Output Output { get; } = services.GetRequiredService<Output>();

    /// <summary>Every plugin found, with the reasons of those that are disabled.</summary>
    public PluginCatalog Plugins => LoadedPlugins ??= services.GetRequiredService<PluginCatalog>();

    /// <summary>The plugins if anything has asked for them; null before.</summary>
    public PluginCatalog? LoadedPlugins { get; private set; }

    /// <summary>
    /// Cancelled by Ctrl-C and termination. A command asks for it that has something to finish or to remove first; one that has not asked ends at once.
    /// </summary>
    public CancellationToken Interrupted => services.GetRequiredService<Interrupt>().Token;

    /// <summary>What is installed.</summary>
    public Catalog Catalog
    {
        get
        {
            _ = Plugins;
            return services.GetRequiredService<Catalog>();
        }
    }
}
