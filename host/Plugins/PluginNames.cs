using Zoo.Kernels;

namespace Zoo.Host.Plugins;

/// <summary>Names that are taken. Each kind of name belongs to the first that brings it; capital letters make no other name.</summary>
/// <param name="hostTasks">Names of the host's own tasks.</param>
internal sealed class PluginNames(IEnumerable<string> hostTasks)
{
    private readonly Dictionary<string, LoadedPlugin> _plugins = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<(string Kind, string Name), string> _owners =
        hostTasks.Select(name => Key("task", name)).Concat(CommonOps.All.Select(op => Key("op", op.Name)))
            .ToDictionary(key => key, _ => "the program itself");

    /// <summary>Refuses a plugin, before it is loaded, whose name another has.</summary>
    /// <exception cref="PluginRefusedException">Another has it.</exception>
    public void RequireFree(string plugin)
    {
        if (_plugins.TryGetValue(plugin, out var other))
        {
            throw new PluginRefusedException($"another plugin of that name, {other.Version}, was found first and is used: '{other.Path}'. " +
                $"Remove one of them; {PluginFolders.Order}.");
        }
    }

    /// <summary>Takes every name that the plugin brings, or none.</summary>
    /// <exception cref="PluginRefusedException">One is taken.</exception>
    public void Claim(LoadedPlugin plugin)
    {
        var claimed = new HashSet<(string, string)>();
        foreach (var (kind, name) in Brought(plugin))
        {
            var key = Key(kind, name);
            if (_owners.TryGetValue(key, out var owner))
                throw new PluginRefusedException($"its {kind} '{name}' has a name that {owner} uses already. Remove one of them; {PluginFolders.Order}.");
            if (!claimed.Add(key))
                throw new PluginRefusedException($"it has two of the {kind} '{name}'.");
        }
        foreach (var key in claimed)
            _owners.Add(key, $"plugin '{plugin.Name}' ({plugin.Path})");
        _plugins.Add(plugin.Name, plugin);
    }

    private static IEnumerable<(string Kind, string Name)> Brought(LoadedPlugin plugin) =>
    [
        .. plugin.Architectures.Select(a => ("architecture", a.Info.Name)),
        .. plugin.Architectures.SelectMany(a => a.Info.Aliases).Select(a => ("architecture", a.Name)),
        .. plugin.Tasks.Select(t => ("task", t.Info.Name)),
        .. plugin.Ops.Select(o => ("op", o.Name)),
        .. plugin.Recipes.Select(r => ("recipe", r.Info.Name)),
    ];

    private static (string Kind, string Name) Key(string kind, string name) => (kind, name.ToLowerInvariant());
}
