using System.CommandLine;

namespace Zoo.Host.Cli;

/// <summary>Options that every verb has.</summary>
internal static class GlobalOptions
{
    /// <summary>Further folders with plugins.</summary>
    public static Option<string[]> Plugins { get; } = new("--plugins")
    {
        Description = "Another folder with plugins (repeatable; also ZOO_PLUGINS).",
        HelpName = "DIR",
        Recursive = true,
        AllowMultipleArgumentsPerToken = false,
        DefaultValueFactory = _ => [],
    };

    /// <summary>What another call needs to find the same plugins: "--plugins" and the folder's full path, for each that was named.</summary>
    public static string[] PluginArguments(ParseResult arguments) =>
        [.. (arguments.GetValue(Plugins) ?? []).SelectMany(p => new[] { "--plugins", Path.GetFullPath(p) })];

    /// <summary>Results as JSON lines.</summary>
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "One JSON object a line on standard output, everything else on standard error.",
        Recursive = true,
    };

    /// <summary>No notes and no progress.</summary>
    public static Option<bool> Quiet { get; } = new("--quiet")
    {
        Description = "No notes and no progress, only results and errors.",
        Recursive = true,
    };
}
