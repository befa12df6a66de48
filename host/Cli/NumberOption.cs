using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Zoo.Host.Cli;

/// <summary>Options with a number, whose errors are sentences: the parser's own name .NET types.</summary>
internal static class NumberOption
{
    /// <summary>More threads than any machine has cores for; libtorch starts as many as it is told, and a process with 100,000 of them never gets to its work.</summary>
    public const int MostThreads = 1024;

    /// <summary>More examples than a batch ever has: their numbers alone would fill the memory before anything could say that they do not fit.</summary>
    public const int MostExamples = 1 << 24;

    /// <summary>A whole number; null when it is not given.</summary>
    public static Option<int?> Int32(string name, string description, int least = int.MinValue, int most = int.MaxValue) =>
        Whole(name, description, least, most);

    /// <summary>A whole number that may be large; null when it is not given.</summary>
    public static Option<long?> Int64(string name, string description, long least = long.MinValue) =>
        Whole(name, description, least, long.MaxValue);

    /// <summary>`--threads`; null when it is not given.</summary>
    public static Option<int?> Threads(string description) => Int32("--threads", description, least: 1, most: MostThreads);

    /// <summary>A finite number from 0 up; null when it is not given.</summary>
    public static Option<double?> FromZero(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "X",
        CustomParser = result =>
        {
            var isNumber = double.TryParse(Typed(result), NumberStyles.Float, CultureInfo.InvariantCulture, out var value);
            if (isNumber && double.IsFinite(value) && value >= 0)
                return value;
            result.AddError($"{name} {Typed(result)}: it must be a number from 0 up.");
            return null;
        },
    };

    private static Option<T?> Whole<T>(string name, string description, T least, T most)
        where T : struct, IBinaryInteger<T>, IMinMaxValue<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                if (T.TryParse(Typed(result), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
                    return value;
                var bound = least == T.MinValue ? "" : $" from {least} up";
                var isWhole = BigInteger.TryParse(Typed(result), out var whole);
                var limit = isWhole && whole > BigInteger.CreateChecked(most) ? $", at most {most}"
                    : isWhole && least == T.MinValue ? $", at least {least}" : "";
                result.AddError($"{name} {Typed(result)}: it must be a whole number{bound}{limit}.");
                return null;
            },
        };

    private static string Typed(ArgumentResult result) => result.Tokens[0].Value;
}
