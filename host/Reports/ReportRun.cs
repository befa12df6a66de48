using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Runs;

namespace Zoo.Host.Reports;

/// <summary>What a run folder holds for a report. The folder may be anybody's: what does not fit is an error with a sentence.</summary>
internal sealed record ReportRun
{
    private const string EnvironmentName = "environment.json";
    private const string MetricsName = "metrics.jsonl";
    private const long MostMetricsBytes = 256 << 20;

    /// <summary>The folder, as it was given.</summary>
    public required string Path { get; init; }

    /// <summary>Its config.</summary>
    public required RunRecord Record { get; init; }

    /// <summary>The row or arm that it belongs to, where a recipe ran it.</summary>
    public string? Label { get; init; }

    /// <summary>Records of training, in order.</summary>
    public required IReadOnlyList<StepPoint> Steps { get; init; }

    /// <summary>Evaluations, in order.</summary>
    public required IReadOnlyList<EvaluationPoint> Evaluations { get; init; }

    /// <summary>Where it ran; null where the folder does not say.</summary>
    public required JsonObject? Environment { get; init; }

    /// <summary>What its final evaluation showed beside the numbers; null where it has not come that far.</summary>
    public required RunDetails? Details { get; init; }

    /// <summary>Its checkpoints by step, with their sizes in bytes.</summary>
    public required IReadOnlyList<(long Step, long Bytes)> Checkpoints { get; init; }

    /// <summary>The folder's own name.</summary>
    public string FolderName => System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));

    /// <summary>The evaluation at the end; null where it has not come that far.</summary>
    public EvaluationPoint? Final => Evaluations.LastOrDefault(e => e.IsFinal);

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
        var (steps, evaluations) = ReadMetrics(System.IO.Path.Combine(path, MetricsName));
        var environment = System.IO.Path.Combine(path, EnvironmentName);
        return new ReportRun
        {
            Path = path,
            Record = record,
            Label = label,
            Steps = steps,
            Evaluations = evaluations,
            Environment = File.Exists(environment) ? RunJson.Read<JsonObject>(environment, "a run's environment") : null,
            Details = RunDetails.Read(path),
            Checkpoints = ReadCheckpoints(RunFolder.CheckpointsOf(path)),
        };
    }

    private long? Count(string key) => Record.Training[key] is JsonValue value && value.TryGetValue(out long count) && count is > 0 and < int.MaxValue
        ? count
        : null;

    private static (IReadOnlyList<StepPoint> Steps, IReadOnlyList<EvaluationPoint> Evaluations) ReadMetrics(string path)
    {
        var steps = new List<StepPoint>();
        var evaluations = new List<EvaluationPoint>();
        if (!File.Exists(path))
            return (steps, evaluations);
        try
        {
            if (new FileInfo(path).Length > MostMetricsBytes)
                throw new BadFileException($"'{path}' is no run's metrics: it has {new FileInfo(path).Length:N0} bytes.");
            var lines = File.ReadAllText(path).Split('\n');
            for (var i = 0; i < lines.Length; i++)
            {
                // What follows the last line end is empty, or what a killed run was writing.
                if (!string.IsNullOrWhiteSpace(lines[i]) && !ReadRecord(lines[i], steps, evaluations) && i < lines.Length - 1)
                    throw new BadFileException($"'{path}' is no run's metrics: line {i + 1:N0} is no record of a step or an evaluation.");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadFileException($"'{path}' cannot be read: {FileTrouble.Words(e)}", e);
        }
        return (steps, evaluations);
    }

    /// <summary>Reads a line of metrics.jsonl. Records of another kind than these two are passed over.</summary>
    /// <returns>Whether it is a record.</returns>
    private static bool ReadRecord(string line, List<StepPoint> steps, List<EvaluationPoint> evaluations)
    {
        try
        {
            using var parsed = JsonDocument.Parse(line, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var record = parsed.RootElement;
            if (record.ValueKind != JsonValueKind.Object || !record.TryGetProperty("event", out var kind) || kind.ValueKind != JsonValueKind.String)
                return false;
            if (kind.GetString() is not ("step" or "eval"))
                return true;
            if (!record.TryGetProperty("step", out var at) || at.ValueKind != JsonValueKind.Number || !at.TryGetInt64(out var step) || step < 0)
                return false;
            if (kind.GetString() == "step")
            {
                steps.Add(new StepPoint(
                    step, Number(record, "loss"), Number(record, "lr"), Number(record, "tokens_per_second"), Number(record, "seconds")));
                return true;
            }
            if (!record.TryGetProperty("metrics", out var metrics) || metrics.ValueKind != JsonValueKind.Object)
                return false;
            evaluations.Add(new EvaluationPoint(step, record.TryGetProperty("final", out var final) && final.ValueKind == JsonValueKind.True,
                metrics.EnumerateObject().Select(m => (m.Name, Number(m.Value))).ToList()));
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static double? Number(JsonElement record, string key) => record.TryGetProperty(key, out var value) ? Number(value) : null;

    private static double? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

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

    /// <summary>A record of training; the loss is the mean since the record before.</summary>
    internal sealed record StepPoint(long Step, double? Loss, double? LearningRate, double? TokensPerSecond, double? Seconds);

    /// <summary>An evaluation; a value that was not finite is null.</summary>
    internal sealed record EvaluationPoint(long Step, bool IsFinal, IReadOnlyList<(string Name, double? Value)> Metrics);
}
