using System.CommandLine;
using System.CommandLine.Parsing;

namespace Zoo.Host.Cli;

/// <summary>Makes options of the usual kinds.</summary>
internal static class OptionOf
{
    /// <summary>A text; null when it is not given.</summary>
    public static Option<string?> Text(string name, string help, string description) => new(name) { Description = description, HelpName = help };

    /// <summary>The path of a file or folder; null when it is not given.</summary>
    public static Option<string?> Path(string name, string help, string description)
    {
        var option = Text(name, help, description);
        option.Validators.Add(RequireName);
        return option;
    }

    /// <summary>Refuses an empty text where a path is wanted, as a variable of the shell gives it that is not set.</summary>
    public static void RequireName(OptionResult result) => RequireName(result, result.Option.Name);

    /// <inheritdoc cref="RequireName(OptionResult)"/>
    public static void RequireName(ArgumentResult result) => RequireName(result, $"<{result.Argument.Name}>");

    private static void RequireName(SymbolResult result, string what)
    {
        if (result.Tokens.Any(token => string.IsNullOrWhiteSpace(token.Value)))
            result.AddError($"{what} is empty: it must be the name of a file or folder.");
    }

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
