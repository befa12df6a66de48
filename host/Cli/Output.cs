using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Zoo.Host.Cli;

/// <summary>
/// Where a command's words go. Results are for people on standard output, or, with --json, one object a line there and everything else
/// on standard error. Notes and progress always go to standard error.
/// </summary>
internal sealed class Output
{
    private static readonly JsonSerializerOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lock _gate = new();
    private IAnsiConsole? _results;

    /// <summary>Whether results are JSON lines.</summary>
    public bool Json { get; init; }

    /// <summary>Whether notes and progress are left out.</summary>
    public bool Quiet { get; init; }

    /// <summary>Whether progress may rewrite its line.</summary>
    public bool IsTerminal => !Quiet && !Console.IsErrorRedirected;

    /// <summary>Tables and texts that are the result: standard output, or standard error with --json.</summary>
    public IAnsiConsole Results => _results ??= NewConsole(Json ? Console.Error : Console.Out, Json ? Console.IsErrorRedirected : Console.IsOutputRedirected);

    /// <summary>A line of the result for people. Plain text: brackets mean nothing.</summary>
    public void Say(string text)
    {
        lock (_gate)
            (Json ? Console.Error : Console.Out).WriteLine(text);
    }

    /// <summary>A record of the result for programs; written only with --json.</summary>
    public void Record(JsonObject record)
    {
        if (!Json)
            return;
        lock (_gate)
        {
            Console.Out.WriteLine(record.ToJsonString(JsonOptions));
            Console.Out.Flush();
        }
    }

    /// <summary>Something to know that is not the result: standard error, unless --quiet.</summary>
    public void Note(string text)
    {
        if (Quiet)
            return;
        lock (_gate)
            Console.Error.WriteLine(text);
    }

    /// <summary>Something went wrong: standard error, always.</summary>
    public void Error(string text)
    {
        lock (_gate)
            Console.Error.WriteLine(text);
    }

    private static IAnsiConsole NewConsole(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
        });
        if (redirected)
            console.Profile.Width = 160;   // a pipe has no width; tables must not be cut to the default of 80
        return console;
    }
}
