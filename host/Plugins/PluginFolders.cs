namespace Zoo.Host.Plugins;

/// <summary>Where plugins are looked for. Never the current folder, a run's or a data set's: plugins are code with the user's rights.</summary>
internal static class PluginFolders
{
    /// <summary>Environment variable with further folders, separated as PATH is.</summary>
    public const string Variable = "ZOO_PLUGINS";

    /// <summary>Which folder goes first, in words.</summary>
    public const string Order = "--plugins goes before ZOO_PLUGINS, that before your own plugin folder, that before the one beside the program";

    /// <summary>The plugins that came with the program.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "plugins");

    /// <summary>
    /// The user's own plugins: ~/.local/share/zoo/plugins on Linux (below XDG_DATA_HOME where that is set),
    /// ~/Library/Application Support/zoo/plugins on macOS, %LOCALAPPDATA%\zoo\plugins on Windows. Null for a user without a home.
    /// </summary>
    public static string? User =>
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify)
            is { Length: > 0 } data ? Path.Combine(data, "zoo", "plugins") : null;

    /// <summary>Every folder to look in, first the ones that the user named.</summary>
    /// <param name="named">What --plugins names; relative to the current folder, since the user typed it there.</param>
    /// <param name="variable">The value of <see cref="Variable"/>.</param>
    /// <exception cref="UserException">A named folder does not exist or is no folder.</exception>
    public static IReadOnlyList<PluginFolder> Find(IEnumerable<string> named, string? variable)
    {
        var folders = named.Select(path => Named("--plugins", path)).ToList();
        foreach (var path in (variable ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Path.IsPathFullyQualified(path))
                throw new UserException($"{Variable} names '{path}', which depends on the current folder. Write the folder's full path.");
            folders.Add(Named(Variable, path));
        }
        if (User is { } user)
            folders.Add(new PluginFolder(user, IsNamed: false));
        folders.Add(new PluginFolder(Program, IsNamed: false));
        return folders;
    }

    private static PluginFolder Named(string option, string path)
    {
        if (path.Length == 0)
            throw new UserException($"{option} needs the name of a folder.");
        var full = Path.GetFullPath(path);
        var isLink = new FileInfo(full).LinkTarget is not null;   // where it leads is found out when the folder is read
        if (!isLink && File.Exists(full))
            throw new UserException($"{option} {path}: this is a file. Name the folder that the plugin is in.");
        if (!isLink && !Directory.Exists(full))
            throw new UserException($"{option} {path}: there is no such folder.");
        return new PluginFolder(full, IsNamed: true);
    }
}
