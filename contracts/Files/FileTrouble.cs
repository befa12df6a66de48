using System.Text.RegularExpressions;

namespace Zoo.Files;

/// <summary>What the system said of a file, as the end of a sentence that names the file itself.</summary>
public static partial class FileTrouble
{
    /// <summary>The message of <paramref name="e"/> without the path or parameter that .NET sets behind some of them, and with one full stop.</summary>
    public static string Words(Exception e) => Behind().Replace(e.Message.Trim(), "").TrimEnd('.') + ".";

    [GeneratedRegex(@"( : '.*'\.?| \(Parameter '.*'\))$", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Behind();
}
