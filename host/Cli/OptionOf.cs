using System.CommandLine;

namespace Zoo.Host.Cli;

/// <summary>Makes options of the usual kinds.</summary>
internal static class OptionOf
{
    /// <summary>A text; null when it is not given.</summary>
    public static Option<string?> Text(string name, string help, string description) => new(name) { Description = description, HelpName = help };

    /// <summary>`--set KEY=VALUE`, repeatable.</summary>
    public static Option<string[]> Sets(string description) => new("--set")
    {
        Description = description,
        HelpName = "KEY=VALUE",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };
}
