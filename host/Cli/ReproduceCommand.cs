using System.CommandLine;
using System.Globalization;
using System.Text;
using Spectre.Console;
using Zoo.Files;
using Zoo.Host.Recipes;
using Zoo.Host.Reports;
using Zoo.Host.Runs;
using Zoo.Native;
using Zoo.Recipes;

namespace Zoo.Host.Cli;

/// <summary>`zoo reproduce`: a paper's table: paper, reference code, ours, verdict.</summary>
internal sealed class ReproduceCommand : ZooCommand
{
    private const int MostSeeds = 1000;

    private readonly Argument<string?> _recipe = new("recipe")
    {
        Description = "Which table; without it the recipes there are.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _scale = OptionOf.Text("--scale", "SCALE", "quick (default): minutes on two cores; full: the paper's own settings.");
    private readonly Option<int?> _seeds = NumberOption.Int32("--seeds", "How many seeds, from 1 on; the recipe's own number unless given.", least: 1, most: MostSeeds);
    private readonly Option<string?> _data = OptionOf.Path("--data", "PATH", "A file or folder with real data. Nothing is ever downloaded.");
    private readonly Option<int?> _threads = NumberOption.Threads("Threads in all, one a training (default: all cores).");

    private readonly Option<string?> _out = OptionOf.Path(
        "--out", "DIR", $"The folder of runs, results and report (default '{RunFolder.DefaultParent}/<time>-<recipe>'). Finished runs in it are kept, unfinished ones go on, those of other settings are refused.");

    public ReproduceCommand() : base("reproduce", "Reproduces a paper's table: paper, reference code, ours, verdict.")
    {
        Add(_recipe);
        foreach (var option in (Option[])[_scale, _seeds, _data, _threads, _out])
            Add(option);
    }

    public override int Run(ParseResult arguments, Session session)
    {
        var recipes = session.Catalog.Recipes;
        if (arguments.GetValue(_recipe) is not { } name)
            return List(session, recipes);
        var recipe = session.Catalog.Recipe(name);
        var scale = (arguments.GetValue(_scale) ?? "quick") switch
        {
            "quick" => RecipeScale.Quick,
            "full" => RecipeScale.Full,
            var typed => throw new UserException($"--scale {typed}: it must be quick or full."),
        };
        var data = arguments.GetValue(_data);
        if (data is not null && recipe.Info.DataHelp is null)
            throw new UserException($"--data: {name} takes no data.");
        if (data is not null && !Path.Exists(data))
            throw new UserException($"--data {data}: there is no such file or folder. {name} takes {recipe.Info.DataHelp}.");

        var interrupted = session.Interrupted;
        LibTorch.Load();   // a recipe may compute in this process, too
        Training.Threads.Use(1);
        var folder = Path.GetFullPath(arguments.GetValue(_out)
            ?? Path.Combine(RunFolder.DefaultParent, $"{DateTime.Now.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}-{name}"));
        CreateFolder(folder);
        var runner = new RecipeRunner(recipe, session.Catalog, session.Output, folder, GlobalOptions.PluginArguments(arguments))
        {
            Scale = scale,
            Seeds = [.. Enumerable.Range(1, arguments.GetValue(_seeds) ?? recipe.Info.DefaultSeeds)],
            DataPath = data is null ? null : Path.GetFullPath(data),
            Threads = arguments.GetValue(_threads) ?? Environment.ProcessorCount,
            Cancellation = interrupted,
        };
        session.Output.Note($"{recipe.Info.Title}\n{recipe.Info.Claim}\nRuns go to {folder}");
        try
        {
            recipe.Run(runner);
        }
        catch (OperationCanceledException)
        {
            string[] again =
            [
                name, "--scale", scale.ToString().ToLowerInvariant(), "--seeds", runner.Seeds.Count.ToString(CultureInfo.InvariantCulture),
                .. data is null ? [] : (string[])["--data", data],
                .. arguments.GetValue(_threads) is { } threads ? (string[])["--threads", threads.ToString(CultureInfo.InvariantCulture)] : [],
                "--out", folder, .. GlobalOptions.PluginArguments(arguments),
            ];
            session.Output.Error($"Interrupted. Go on with: zoo reproduce {string.Join(' ', again.Select(ShellWord.Of))}");
            return ExitCode.Interrupted;
        }
        Finish(session, recipe, runner, folder);
        return runner.Rows.Any(r => r.Verdict == RecipeVerdict.NotReproduced) ? ExitCode.CheckFailed : ExitCode.Done;
    }

    private static void CreateFolder(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw WriteTrouble.Of($"--out {folder}: the folder cannot be made: {FileTrouble.Words(e)}", e);
        }
    }

    private static void Finish(Session session, IRecipe recipe, RecipeRunner runner, string folder)
    {
        var lines = new StringBuilder();
        foreach (var row in runner.Rows)
            lines.Append(runner.ToJson(row).ToJsonString()).Append('\n');
        AtomicFile.Write(Path.Combine(folder, "results.jsonl"), lines.ToString());
        var runs = runner.Results.Where(r => r.Folder is not null && r.Failure is null).DistinctBy(r => r.Folder)
            .Select(r => ReportRun.Read(r.Folder!, r.Spec.Label)).ToList();
        var report = Path.Combine(folder, "report.html");
        AtomicFile.Write(report, HtmlReport.ForRecipe(recipe.Info, runner.Rows, runner.Items, runs));
        if (session.Output.Json)
        {
            if (runner.Cost is { } total)
                session.Output.Note(total);
            return;
        }
        var table = new Table().Border(TableBorder.Simple).Title(Markup.Escape(recipe.Info.Title));
        foreach (var column in new[] { "Row", "Metric", "Paper", "Reference code", "Ours", "Verdict", "Why" })
            table.AddColumn(column);
        foreach (var row in runner.Rows)
        {
            table.AddRow(
                Markup.Escape(row.Row), Markup.Escape(row.Metric), Number(row.Paper), Number(row.Reference),
                Ours(row),
                RecipeRunner.VerdictName(row.Verdict), Markup.Escape(row.Reason));
        }
        session.Output.Results.Write(table);
        if (runner.Cost is { } cost)
            session.Output.Say(cost);
        session.Output.Say($"Runs and results: {folder}");
        session.Output.Say($"Report: {report}");
    }

    private static int List(Session session, IReadOnlyCollection<IRecipe> recipes)
    {
        if (recipes.Count == 0)
            session.Output.Say("No installed plugin has a recipe.");
        foreach (var recipe in recipes)
        {
            var info = recipe.Info;
            session.Output.Record(new() { ["recipe"] = info.Name, ["title"] = info.Title, ["paper"] = info.Paper, ["claim"] = info.Claim, ["data"] = info.DataHelp });
            if (!session.Output.Json)
                session.Output.Say($"{info.Name}\n  {info.Title}\n  {info.Paper}\n  Claim: {info.Claim}{(info.DataHelp is null ? "" : $"\n  --data: {info.DataHelp}")}");
        }
        return ExitCode.Done;
    }

    /// <summary>Mean and deviation, and every seed's value below.</summary>
    private static string Ours(RecipeRow row) => row.Mean is null ? "-"
        : row.StandardDeviation is not { } deviation ? Number(row.Mean)
        : $"{Number(row.Mean)} ± {Number(deviation)}\n{string.Join(" ", row.Ours.Select(v => Number(v)))}";

    private static string Number(double? value) => value is { } number ? number.ToString("G4", CultureInfo.InvariantCulture) : "-";
}
