using System.Text;
using System.Text.RegularExpressions;

namespace Zoo.Tests.ThirdParty;

/// <summary>The walk-through, followed once from top to bottom in one shell: files written, commands typed, their output kept.</summary>
internal sealed partial class GuideRun
{
    private readonly IReadOnlyList<GuideStep> _steps;
    private readonly Workshop _workshop;

    /// <summary>Follows every step until one fails.</summary>
    public GuideRun(IReadOnlyList<GuideStep> steps, Workshop workshop)
    {
        (_steps, _workshop) = (steps, workshop);
        var exitCode = workshop.Run(Script(steps));
        var reached = Path.Combine(workshop.Logs, "reached");
        if (exitCode == 0)
            return;
        var line = File.Exists(reached) ? int.Parse(File.ReadAllText(reached)) : 0;
        Failure = $"line {line}: the shell ended with {exitCode}.\n{steps.FirstOrDefault(s => s.Line == line)?.Text}\n{Printed(line)}";
    }

    /// <summary>The step that went wrong, with its commands and what they printed; null when all went well.</summary>
    public string? Failure { get; }

    /// <summary>What the commands that begin on a line printed.</summary>
    public string Printed(int line)
    {
        var log = Path.Combine(_workshop.Logs, $"{line}");
        return File.Exists(log) ? File.ReadAllText(log) : "(nothing)";
    }

    /// <summary>Lines of the walk-through's output that its commands did not print, or not in this order; "…" stands for anything.</summary>
    public IReadOnlyList<string> WrongOutput()
    {
        var wrong = new List<string>();
        for (var i = 0; i < _steps.Count; i++)
        {
            if (_steps[i].Kind != GuideStepKind.Output)
                continue;
            var commands = _steps.Take(i).Last(s => s.Kind == GuideStepKind.Commands);
            var printed = Printed(commands.Line).Split('\n').Select(Squeeze).ToList();
            var next = 0;
            foreach (var line in _steps[i].Text.Split('\n').Select(Squeeze).Where(l => l.Length > 0))
            {
                var pattern = "^" + string.Join(".*", line.Split('…').Select(Regex.Escape)) + "$";
                var found = printed.FindIndex(next, p => Regex.IsMatch(p, pattern));
                if (found < 0)
                    wrong.Add($"line {_steps[i].Line}: '{line}' is not, or not in this order, in\n{string.Join('\n', printed)}");
                else
                    next = found + 1;
            }
        }
        return wrong;
    }

    private static string Squeeze(string line) => Spaces().Replace(line, " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    private string Script(IReadOnlyList<GuideStep> steps)
    {
        var script = new StringBuilder("set -euo pipefail\n");
        foreach (var step in steps)
        {
            var log = $"'{_workshop.Logs}/{step.Line}'";
            if (step is { Kind: GuideStepKind.Source, File: { } file })
                script.Append($"cat > {file} <<'END_OF_FILE'\n{step.Text}END_OF_FILE\n");
            if (step.Kind != GuideStepKind.Commands)
                continue;
            script.Append($"echo {step.Line} > '{_workshop.Logs}/reached'\n");
            script.Append(step.ExitCode == 0
                ? $"{{\n{step.Text}}} > {log} 2>&1\n"
                : $"set +e\n( set -e\n{step.Text}) > {log} 2>&1\ncode=$?\nset -e\n" +
                    $"[ $code -eq {step.ExitCode} ] || exit $((code == 0 ? 99 : code))\n");
        }
        return script.ToString();
    }
}
