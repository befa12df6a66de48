namespace Zoo.Host.Cli;

/// <summary>A word of a command that a message tells the user to type.</summary>
internal static class ShellWord
{
    /// <summary>The word as a shell takes it: quoted where it has spaces or signs that mean something there.</summary>
    public static string Of(string text) => text.Length > 0 && text.All(IsPlain)
        ? text
        : $"'{text.Replace("'", OperatingSystem.IsWindows() ? "''" : "'\\''", StringComparison.Ordinal)}'";

    private static bool IsPlain(char c) => char.IsAsciiLetterOrDigit(c) || "/._-:=,+@%".Contains(c, StringComparison.Ordinal)
        || (c == '\\' && OperatingSystem.IsWindows());
}
