using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Runs;

namespace Zoo.Host.Reports;

/// <summary>What a run folder holds for a report. The folder may be anybody's: what does not fit is an error with a sentence.</summary>
internal sealed record ReportRun
{
    /// <summary>The folder, as it was given.</summary>
    public required string Path { get; init; }

    /// <summary>Its config.</summary>
    public required RunRecord Record { get; init; }

    /// <summary>The row or arm that it belongs to, where a recipe ran it.</summary>
    public string? Label { get; init; }

    /// <summary>Records of training, in order.</summary>
    public required IReadOnlyList<RunMetrics.StepPoint> Steps { get; init; }

    /// <summary>Evaluations, in order.</summary>
    public required IReadOnlyList<RunMetrics.EvaluationPoint> Evaluations { get; init; }

    /// <summary>Where it ran; null where the folder does not say.</summary>
    public required JsonObject? Environment { get; init; }

    /// <summary>What its final evaluation showed beside the numbers; null where it has not come that far.</summary>
    public required RunDetails? Details { get; init; }

    /// <summary>Its checkpoints by step, with their sizes in bytes.</summary>
    public required IReadOnlyList<(long Step, long Bytes)> Checkpoints { get; init; }

    /// <summary>The folder's own name.</summary>
    public string FolderName => System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));

    /// <summary>The evaluation at the end; null where it has not come that far.</summary>
    public RunMetrics.EvaluationPoint? Final { get; private init; }

    /// <summary>The newest step that something is known of.</summary>
    public long LastStep => new[]
    {
        Steps.Select(s => s.Step).LastOrDefault(), Evaluations.Select(e => e.Step).LastOrDefault(), Checkpoints.Select(c => c.Step).LastOrDefault(),
    }.Max();

    /// <summary>Seconds of training, evaluations and checkpoints left out.</summary>
    public double? Seconds => Steps.LastOrDefault(s => s.Seconds is not null)?.Seconds;

    /// <summary>CPU seconds of the whole run up to its newest checkpoint; null where there is none that says.</summary>
    public double? CpuSeconds => CheckpointStore.CpuSecondsOf(RunFolder.CheckpointsOf(Path));

    /// <summary>Examples that a step learns from; null where the config does not say.</summary>
    public long? ExamplesAStep => Count("batch_size") * (Count("accumulate") ?? 1);

    /// <summary>Passes over the training data that a step is; null where the data never end.</summary>
    public double? PassesAStep => Record.TrainingExamples is > 0 and var examples && ExamplesAStep is > 0 and var step
        ? step / (double)examples
        : null;

    /// <summary>Reads a run folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="label">The row or arm that it belongs to.</param>
    /// <exception cref="UserException">It is no run folder, or a file in it is not what it should be.</exception>
    public static ReportRun Read(string path, string? label = null)
    {
        RunFolder.RequireRun(path);
        var record = RunRecord.Read(System.IO.Path.Combine(path, RunFolder.ConfigName));
        var metrics = RunMetrics.Read(path);
        var environment = System.IO.Path.Combine(path, RunFolder.EnvironmentName);
        return new ReportRun
        {
            Path = path,
            Record = record,
            Label = label,
            Steps = metrics.Steps,
            Evaluations = metrics.Evaluations,
            Final = metrics.Final,
            Environment = File.Exists(environment) ? RunJson.Read<JsonObject>(environment, "a run's environment") : null,
            Details = RunDetails.Read(path),
            Checkpoints = ReadCheckpoints(RunFolder.CheckpointsOf(path)),
        };
    }

    private long? Count(string key) => Record.Training[key] is JsonValue value && value.TryGetValue(out long count) && count is > 0 and < int.MaxValue
        ? count
        : null;

    private static IReadOnlyList<(long Step, long Bytes)> ReadCheckpoints(string folder)
    {
        if (!Directory.Exists(folder))
            return [];
        try
        {
            return [.. Directory.EnumerateDirectories(folder)
                .Select(path => (Step: Checkpoint.StepOf(path), Bytes: Directory.EnumerateFiles(path).Sum(f => new FileInfo(f).Length)))
                .Where(c => c.Step is not null).Select(c => (c.Step!.Value, c.Bytes)).OrderBy(c => c.Value)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{folder}' cannot be read: {FileTrouble.Words(e)}", e);
        }
    }
}
