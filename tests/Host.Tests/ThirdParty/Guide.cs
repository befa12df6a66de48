using System.Text.RegularExpressions;

namespace Zoo.Tests.ThirdParty;

/// <summary>
/// A walk-through as something to follow. Blocks of sh are typed ("sh exit=2" must fail with 2), blocks of text are what is then
/// printed, and a csharp, cuda or xml block after a line that begins with a file's name in backquotes is that file.
/// </summary>
internal static partial class Guide
{
    /// <summary>Its blocks in order.</summary>
    /// <exception cref="FormatException">A block is not closed, or of no kind that is known.</exception>
    public static IReadOnlyList<GuideStep> Read(string path)
    {
        var lines = File.ReadAllLines(path);
        var steps = new List<GuideStep>();
        var lastProse = "";
        for (var i = 0; i < lines.Length; i++)
        {
            if (Fence().Match(lines[i]) is not { Success: true } fence)
            {
                lastProse = lines[i].Trim().Length > 0 ? lines[i] : lastProse;
                continue;
            }
            var end = Array.IndexOf(lines, "```", i + 1);
            if (end < 0)
                throw new FormatException($"{path}, line {i + 1}: the block is not closed.");
            var text = string.Concat(lines[(i + 1)..end].Select(line => line + "\n"));
            var language = fence.Groups["language"].Value;
            if (language.Length > 0)   // a block without a language is only read
                steps.Add(Step(language, fence.Groups["rest"].Value.Trim(), i + 2, text, lastProse, path));
            i = end;
        }
        return steps;
    }

    private static GuideStep Step(string language, string rest, int line, string text, string lastProse, string path) => language switch
    {
        "sh" when rest.Length == 0 => new GuideStep(GuideStepKind.Commands, line, text),
        "sh" when rest.StartsWith("exit=", StringComparison.Ordinal) =>
            new GuideStep(GuideStepKind.Commands, line, text) { ExitCode = int.Parse(rest["exit=".Length..]) },
        "text" => new GuideStep(GuideStepKind.Output, line, text),
        "csharp" or "cuda" or "xml" => new GuideStep(GuideStepKind.Source, line, text)
        {
            File = FileName().Match(lastProse) is { Success: true } name ? name.Groups[1].Value : null,
        },
        _ => throw new FormatException($"{path}, line {line - 1}: a block of '{language} {rest}' is neither commands, output nor source."),
    };

    [GeneratedRegex("^```(?<language>[a-z]*)(?<rest>.*)$")]
    private static partial Regex Fence();

    [GeneratedRegex(@"^`([A-Za-z0-9]+\.[A-Za-z]+)`")]
    private static partial Regex FileName();
}
