using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Tasks;

namespace Zoo.Host;

/// <summary>What is installed, by name: architectures, tasks and ops of the loaded plugins and the host's own tasks.</summary>
internal sealed class Catalog
{
    private readonly Dictionary<string, (InstalledArchitecture Installed, string Preset)> _architectures = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, IRecipe> _recipes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ITask> _tasks = new(StringComparer.Ordinal);

    /// <param name="architectures">With names and aliases that are unique among them.</param>
    /// <param name="tasks">With unique names.</param>
    /// <param name="ops">Of every plugin.</param>
    /// <param name="disabledPlugins">Names of plugins that could not be loaded, for messages.</param>
    /// <param name="recipes">With unique names.</param>
    /// <param name="pluginFolders">Where the DLLs of plugins lie, also of those without an architecture; those of the architectures unless given.</param>
    public Catalog(
        IEnumerable<InstalledArchitecture> architectures, IEnumerable<ITask> tasks, OpCatalog ops, IReadOnlyList<string> disabledPlugins,
        IEnumerable<IRecipe>? recipes = null, IEnumerable<string>? pluginFolders = null)
    {
        Architectures = [.. architectures.OrderBy(a => a.Info.Name, StringComparer.Ordinal)];
        foreach (var installed in Architectures)
        {
            _architectures.Add(installed.Info.Name, (installed, installed.Info.DefaultPreset));
            foreach (var alias in installed.Info.Aliases)
                _architectures.Add(alias.Name, (installed, alias.Preset));
        }
        foreach (var task in tasks)
            _tasks.Add(task.Info.Name, task);
        foreach (var recipe in recipes ?? [])
            _recipes.Add(recipe.Info.Name, recipe);
        Ops = ops;
        DisabledPlugins = disabledPlugins;
        PluginFolders = [.. (pluginFolders ?? Architectures.Select(a => a.PluginFolder)).Distinct()];
    }

    /// <summary>Architectures, by name.</summary>
    public IReadOnlyList<InstalledArchitecture> Architectures { get; }

    /// <summary>Tasks, by name.</summary>
    public IReadOnlyCollection<ITask> Tasks => _tasks.Values;

    /// <summary>Ops.</summary>
    public OpCatalog Ops { get; }

    /// <summary>Plugins that could not be loaded.</summary>
    public IReadOnlyList<string> DisabledPlugins { get; }

    /// <summary>Folders of the plugins in use, where their golden cases lie.</summary>
    public IReadOnlyList<string> PluginFolders { get; }

    /// <summary>Whether <paramref name="name"/> is an architecture's name or alias.</summary>
    public bool HasArchitecture(string name) => _architectures.ContainsKey(name);

    /// <summary>The architecture of that name or alias, and the preset that the name means.</summary>
    /// <exception cref="UserException">None is installed under it.</exception>
    public (InstalledArchitecture Installed, string Preset) Architecture(string name)
    {
        if (_architectures.TryGetValue(name, out var found))
            return found;
        if (OtherKind(name) is { } other)
            throw new UserException($"No architecture is named '{name}': that is {other}.");
        var installed = Architectures.Count == 0 ? "nothing" : string.Join(", ", Architectures.Select(a => a.Info.Name));
        var disabled = DisabledPlugins.Count == 0 ? "" : $"  Disabled: {string.Join(", ", DisabledPlugins)} (`zoo plugins` says why).";
        throw new UserException(
            $"No architecture is named '{name}'.{Names.DidYouMean(name, _architectures.Keys)}  Installed: {installed}.{disabled}");
    }

    /// <summary>What else has that name, and how it is used; null where nothing has.</summary>
    private string? OtherKind(string name) =>
        Ops.Find(name) is not null ? $"an op, which `zoo show`, `zoo verify` and `zoo bench` take as --op {name}"
        : _tasks.ContainsKey(name) ? $"a task; name a model, and the task as --task {name}"
        : _recipes.ContainsKey(name) ? $"a recipe, which `zoo reproduce {name}` runs"
        : null;

    /// <summary>The task of that name.</summary>
    /// <exception cref="UserException">There is none.</exception>
    public ITask Task(string name) => _tasks.TryGetValue(name, out var task)
        ? task
        : throw new UserException($"No task is named '{name}'.{Names.DidYouMean(name, _tasks.Keys)}  There are: {string.Join(", ", _tasks.Keys)}.");

    /// <summary>Recipes, by name.</summary>
    public IReadOnlyCollection<IRecipe> Recipes => _recipes.Values;

    /// <summary>The recipe of that name.</summary>
    /// <exception cref="UserException">No installed plugin has it.</exception>
    public IRecipe Recipe(string name) => _recipes.TryGetValue(name, out var recipe)
        ? recipe
        : throw new UserException($"No recipe is named '{name}'.{Names.DidYouMean(name, _recipes.Keys)}  " +
            $"There {(_recipes.Count == 0 ? "are none" : $"are: {string.Join(", ", _recipes.Keys)}")}.");

    /// <summary>Tasks that a model of one of these kinds can learn.</summary>
    public IEnumerable<ITask> TasksFor(ArchitectureInfo info) =>
        _tasks.Values.Where(t => t.Info.Kind == info.Kind || info.OtherKinds.Contains(t.Info.Kind));
}
