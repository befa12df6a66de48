using Zoo.Files;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Tasks;

namespace Zoo.Host.Plugins;

/// <summary>Every plugin found: loaded, or disabled with its reason.</summary>
internal sealed class PluginCatalog : IDisposable
{
    private readonly List<PluginRecord> _records = [];
    private readonly List<LoadedPlugin> _plugins = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly PluginSearch _search;
    private readonly PluginNames _names;

    private PluginCatalog(PluginSearch search)
    {
        _search = search;
        _names = new PluginNames(search.HostTasks);
        foreach (var folder in search.Folders)
            LoadFolder(folder);
    }

    /// <summary>Where plugins were looked for.</summary>
    public IReadOnlyList<PluginFolder> Folders => _search.Folders;

    /// <summary>Everything found, in the order it was found in.</summary>
    public IReadOnlyList<PluginRecord> Records => _records;

    /// <summary>What was found and cannot be used.</summary>
    public IReadOnlyList<PluginRecord> Disabled => [.. _records.Where(r => r.Status == PluginStatus.Disabled)];

    /// <summary>The plugins in use.</summary>
    public IReadOnlyList<LoadedPlugin> Plugins => _plugins;

    /// <summary>Their architectures. No two share a name or alias.</summary>
    public IReadOnlyList<InstalledArchitecture> Architectures =>
    [
        .. from plugin in _plugins
           from architecture in plugin.Architectures
           select new InstalledArchitecture(architecture, plugin.Name, plugin.Version, Path.GetDirectoryName(plugin.Path)!),
    ];

    /// <summary>Their tasks. No two share a name, and none has a host task's.</summary>
    public IReadOnlyList<ITask> Tasks => [.. _plugins.SelectMany(p => p.Tasks)];

    /// <summary>Their ops and those of the contract. No two share a name.</summary>
    public OpCatalog Ops => new(CommonOps.All.Concat(_plugins.SelectMany(p => p.Ops)));

    /// <summary>Their recipes. No two share a name.</summary>
    public IReadOnlyList<IRecipe> Recipes => [.. _plugins.SelectMany(p => p.Recipes)];

    /// <summary>Looks for plugins and loads them. A plugin that fails is disabled for this run; the others go on.</summary>
    public static PluginCatalog Load(PluginSearch search) => new(search);

    /// <summary>An exception of a plugin's code as a sentence that names the plugin; null when no plugin is to blame.</summary>
    public Exception? Explain(Exception exception) => PluginBlame.Explain(exception, _plugins);

    public void Dispose()
    {
        foreach (var plugin in _plugins)
            plugin.Services?.Dispose();
    }

    private void LoadFolder(PluginFolder folder)
    {
        var path = folder.Path;
        try
        {
            if (!folder.IsNamed && !Directory.Exists(path) && new FileInfo(path).LinkTarget is null)
                return;
            path = RealPath.Of(path);
            if (!_seen.Add(path))
                return;
            foreach (var entry in PluginFinder.Entries(path))
                LoadEntry(entry);
        }
        catch (Exception e) when (e is PluginRefusedException or IOException)
        {
            var reason = e is IOException ? $"it cannot be read: {FileTrouble.Words(e)}" : e.Message;
            _records.Add(new PluginRecord { Name = Path.GetFileName(path), Path = path, IsFolder = true, Reason = OneLine(reason) });
        }
    }

    private void LoadEntry(FileSystemInfo entry)
    {
        var record = new PluginRecord { Name = Path.GetFileNameWithoutExtension(entry.Name), Path = entry.FullName };
        try
        {
            var candidate = PluginFinder.Examine(entry);
            if (!_seen.Add(candidate.Path))
                return;
            record = record with { Name = candidate.Name, Path = candidate.Path };
            var metadata = PluginMetadata.Read(candidate.Path);
            record = record with
            {
                Name = OneLine(metadata.Name),
                Version = OneLine(metadata.Version),
                Contract = metadata.Contract is null ? null : OneLine(metadata.Contract),
                TorchSharp = metadata.TorchSharp is null ? null : OneLine(metadata.TorchSharp),
            };
            VersionRule.Require(metadata);
            PluginDependencies.Require(candidate, metadata);
            _names.RequireFree(metadata.Name);
            var plugin = PluginActivation.Activate(candidate, metadata, _search.Loggers);
            try
            {
                _names.Claim(plugin);
            }
            catch
            {
                plugin.Services?.Dispose();
                throw;
            }
            _plugins.Add(plugin);
            _records.Add(record with { Status = PluginStatus.Loaded });
        }
        catch (PluginRefusedException e)
        {
            _records.Add(record with { Reason = OneLine(e.Message) });
        }
    }

    /// <summary>Without line breaks and control characters: a plugin's own words must not steer the terminal.</summary>
    private static string OneLine(string text) => string.Join(' ', text.Split(
        text.Where(c => char.IsControl(c) || c == ' ').Distinct().ToArray(), StringSplitOptions.RemoveEmptyEntries));
}
