using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using Zoo.Host.Cli;
using Zoo.Host.Training;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Host.Recipes;

/// <summary>Runs a recipe: its trainings as processes of their own, a few at a time, and its rows to the user.</summary>
internal sealed class RecipeRunner : IRecipeContext
{
    private readonly IRecipe _recipe;
    private readonly Catalog _catalog;
    private readonly Output _output;
    private readonly string _folder;
    private readonly IReadOnlyList<string> _globalArguments;
    private readonly List<RecipeRow> _rows = [];
    private readonly List<ReportItem> _items = [];
    private readonly List<RunResult> _results = [];

    /// <param name="recipe">What to run.</param>
    /// <param name="catalog">What is installed.</param>
    /// <param name="output">Where words go.</param>
    /// <param name="folder">The recipe's own folder; runs in it that are finished are taken as they are.</param>
    /// <param name="globalArguments">Options that every training gets: where plugins are.</param>
    public RecipeRunner(IRecipe recipe, Catalog catalog, Output output, string folder, IReadOnlyList<string> globalArguments)
    {
        (_recipe, _catalog, _output, _folder, _globalArguments) = (recipe, catalog, output, folder, globalArguments);
    }

    public required RecipeScale Scale { get; init; }

    public required IReadOnlyList<int> Seeds { get; init; }

    public required string? DataPath { get; init; }

    public required int Threads { get; init; }

    public required CancellationToken Cancellation { get; init; }

    /// <summary>The rows so far.</summary>
    public IReadOnlyList<RecipeRow> Rows => _rows;

    /// <summary>What was attached for the report.</summary>
    public IReadOnlyList<ReportItem> Items => _items;

    /// <summary>Every training so far.</summary>
    public IReadOnlyList<RunResult> Results => _results;

    /// <summary>What the trainings so far cost, in words; null when there were none.</summary>
    public string? Cost => _results.DistinctBy(r => r.Folder ?? r.Spec.Label).ToList() is { Count: > 0 } runs
        ? $"{Counted.Of(runs.Count, "training")}, {runs.Sum(r => r.CpuSeconds ?? 0):N0} CPU seconds"
            + (runs.Count(r => r.CpuSeconds is null) is > 0 and var unknown ? $" without {unknown} that do not say" : "")
        : null;

    public bool IsInstalled(string architecture) => _catalog.HasArchitecture(architecture);

    public IReadOnlyList<RunResult> Train(IReadOnlyList<RunSpec> specs)
    {
        var runs = specs.Select(spec => new RunProcess(spec, Path.Combine(_folder, "runs"), _globalArguments)).ToList();
        if (runs.Select(r => r.DiffersFromEarlier()).OfType<string>().ToList() is { Count: > 0 } other)
        {
            throw new UserException($"--out {_folder}: it has runs of other settings than are asked for. Name another folder, or remove them.\n" +
                string.Join('\n', other.Select(o => "  " + o)));
        }
        var results = new RunResult[specs.Count];
        var progress = new RecipeProgress(_output, specs);
        try
        {
            Parallel.For(0, specs.Count, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, Threads), CancellationToken = Cancellation }, i =>
            {
                results[i] = runs[i].Run(step => progress.Step(i, step), Cancellation);
                progress.End(i, Words(results[i]));
            });
        }
        catch (AggregateException e) when (e.InnerExceptions.All(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException(e.Message, e, Cancellation);
        }
        catch (AggregateException e)
        {
            // One training's sentence for the user; the others have been let end.
            ExceptionDispatchInfo.Throw(e.InnerExceptions.First(inner => inner is not OperationCanceledException));
        }
        finally
        {
            progress.Clear();
        }
        _results.AddRange(results);
        return results;
    }

    public void Report(RecipeRow row)
    {
        _rows.Add(row);
        _output.Record(ToJson(row));
    }

    public void Attach(ReportItem item) => _items.Add(item);

    public void Note(string text) => _output.Note(text);

    /// <summary>A row as `--json` and results.jsonl have it.</summary>
    public JsonObject ToJson(RecipeRow row) => new()
    {
        ["recipe"] = _recipe.Info.Name,
        ["row"] = row.Row,
        ["metric"] = row.Metric,
        ["paper"] = row.Paper,
        ["reference"] = row.Reference,
        ["ours"] = Rounded(row.Mean),
        ["ours_sd"] = Rounded(row.StandardDeviation),
        ["seeds"] = row.Verdict == RecipeVerdict.NotAttempted ? 0 : Seeds.Count,
        ["values"] = new JsonArray([.. row.Ours.Select(v => (JsonNode?)Rounded(v))]),
        ["scale"] = Scale.ToString().ToLowerInvariant(),
        ["verdict"] = VerdictName(row.Verdict),
        ["reason"] = row.Reason,
    };

    /// <summary>As users and programs read it.</summary>
    public static string VerdictName(RecipeVerdict verdict) => verdict switch
    {
        RecipeVerdict.Reproduced => "reproduced",
        RecipeVerdict.ScaledEvidence => "scaled-evidence",
        RecipeVerdict.NotReproduced => "not-reproduced",
        _ => "not-attempted",
    };

    /// <summary>Six significant digits; null where the number is not finite, which JSON cannot say.</summary>
    private static double? Rounded(double? value) => value is { } number && double.IsFinite(number)
        ? double.Parse(number.ToString("G6", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture)
        : null;

    private static string Words(RunResult result)
    {
        if (result.Failure is { } failure)
            return failure;
        var cost = (result.Seconds, result.CpuSeconds) switch
        {
            (0, { } cpu) => $"finished earlier, {cpu:N0} CPU s",
            (0, null) => "finished earlier",
            var (wall, cpu) => $"in {TrainingProgress.Duration(wall)}{(cpu is null ? "" : $", {cpu:N0} CPU s")}",
        };
        return $"{string.Join(", ", result.Metrics.Take(2).Select(m => $"{m.Key} {m.Value:G4}"))}, {cost}";
    }
}
