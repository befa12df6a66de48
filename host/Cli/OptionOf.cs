using System.CommandLine;

namespace Zoo.Host.Cli;

/// <summary>Makes options of the usual kinds.</summary>
internal static class OptionOf
{
    /// <summary>A text; null when it is not given.</summary>
    public static Option<string?> Text(string name, string help, string description) => new(name) { Description = description, HelpName = help };

    /// <summary>`--kernels`: backends for all ops or for some; null when it is not given.</summary>
    public static Option<string?> Kernels() =>
        Text("--kernels", "BACKEND", "Backend of the ops: auto (default), reference, cpu or cuda, or op=backend,… for some.");

    /// <summary>`--set KEY=VALUE`, repeatable.</summary>
    public static Option<string[]> Sets(string description) => new("--set")
    {
        Description = description,
        HelpName = "KEY=VALUE",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [],
    };
}
