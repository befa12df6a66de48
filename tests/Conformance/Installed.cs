using Zoo.Host;
using Zoo.Host.Plugins;
using Zoo.Host.Verification;
using Zoo.Kernels;
using Zoo.Native;

namespace Zoo.Tests;

/// <summary>
/// What is installed, loaded from disk as the program does: the plugins beside it, the user's own, and those in the folders that ZOO_PLUGINS
/// names.
/// </summary>
/// <remarks>Test cases are listed before any SetUp runs, so libtorch is loaded here.</remarks>
internal static class Installed
{
    private static readonly Lazy<(PluginCatalog Plugins, Catalog Catalog)> Loaded = new(Load);

    public static PluginCatalog Plugins => Loaded.Value.Plugins;

    public static Catalog Catalog => Loaded.Value.Catalog;

    /// <summary>Every check of everything installed, on the CPU and the backends that are chosen there.</summary>
    public static IEnumerable<Check> Checks => new Verifier(Catalog, TorchSharp.torch.CPU, KernelChoice.Auto).Everything();

    private static (PluginCatalog Plugins, Catalog Catalog) Load()
    {
        LibTorch.Load();
        var folders = PluginFolders.Find([], Environment.GetEnvironmentVariable(PluginFolders.Variable));
        var plugins = PluginCatalog.Load(new PluginSearch(folders));
        return (plugins, new Catalog(plugins.Architectures, plugins.Tasks, plugins.Ops, [.. plugins.Disabled.Select(p => p.Name)]));
    }
}
