using System.CommandLine;
using System.Numerics;

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

    /// <summary>A whole number with a lower bound; null when it is not given.</summary>
    public static Option<T?> Number<T>(string name, string description, T least)
        where T : struct, IBinaryInteger<T>
    {
        var option = new Option<T?>(name) { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValueOrDefault<T?>() is { } value && value < least)
                result.AddError($"{name} {value}: it must be at least {least}.");
        });
        return option;
    }
}
