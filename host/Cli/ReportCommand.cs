using System.CommandLine;
using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Reports;
using Zoo.Host.Runs;

namespace Zoo.Host.Cli;

/// <summary>`zoo report`: runs as one HTML file.</summary>
internal sealed class ReportCommand : ZooCommand
{
    private const string DefaultName = "report.html";

    private readonly Argument<string[]> _runs = new("run")
    {
        Description = "Run folders; several are shown side by side.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _out = OptionOf.Path("--out", "FILE", $"The file to write (default: {DefaultName} in the first run folder).");

    public ReportCommand() : base("report", "Makes one HTML file of runs, which refers to nothing outside itself: curves, tables, configs, environment.")
    {
        Add(_out);
        Add(_runs);
        _runs.Validators.Add(OptionOf.RequireName);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var interrupted = session.Interrupted;
        var paths = arguments.GetValue(_runs)!.DistinctBy(Path.GetFullPath).ToList();
        foreach (var path in paths)
            RunFolder.RequireRun(path);
        var html = HtmlReport.ForRuns([.. paths.Select(p => ReportRun.Read(p))]);
        var file = arguments.GetValue(_out) ?? Path.Combine(paths[0], DefaultName);
        interrupted.ThrowIfCancellationRequested();
        try
        {
            AtomicFile.Write(file, html);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw WriteTrouble.Of($"{e.Message} --out FILE writes the report elsewhere.", e);
        }
        session.Output.Record(new JsonObject { ["report"] = file });
        if (!session.Output.Json)
            session.Output.Say($"Report: {file}");
        return ExitCode.Done;
    }
}
