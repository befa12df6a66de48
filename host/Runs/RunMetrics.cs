using System.Text.Json;
using Zoo.Files;

namespace Zoo.Host.Runs;

/// <summary>What a run's metrics.jsonl says. The file may be anybody's: what does not fit is an error with a sentence.</summary>
/// <param name="Steps">Records of training, in order.</param>
/// <param name="Evaluations">Evaluations, in order.</param>
internal sealed record RunMetrics(IReadOnlyList<RunMetrics.StepPoint> Steps, IReadOnlyList<RunMetrics.EvaluationPoint> Evaluations)
{
    private const long MostBytes = 256 << 20;

    /// <summary>The evaluation at the end; null where the run has not come that far.</summary>
    public EvaluationPoint? Final => Evaluations.LastOrDefault(e => e.IsFinal);

    /// <summary>Reads those of a run folder; there are none before its first step.</summary>
    /// <exception cref="BadFileException">The file cannot be read, or a line is no record.</exception>
    public static RunMetrics Read(string runPath)
    {
        var path = Path.Combine(runPath, RunFolder.MetricsName);
        var steps = new List<StepPoint>();
        var evaluations = new List<EvaluationPoint>();
        if (!File.Exists(path))
            return new RunMetrics(steps, evaluations);
        try
        {
            if (new FileInfo(path).Length > MostBytes)
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
        return new RunMetrics(steps, evaluations);
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
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // the latter: a \u escape that is half a surrogate pair
        {
            return false;
        }
    }

    private static double? Number(JsonElement record, string key) => record.TryGetProperty(key, out var value) ? Number(value) : null;

    private static double? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    /// <summary>A record of training; the loss is the mean since the record before.</summary>
    internal sealed record StepPoint(long Step, double? Loss, double? LearningRate, double? TokensPerSecond, double? Seconds);

    /// <summary>An evaluation; a value that was not finite is null.</summary>
    internal sealed record EvaluationPoint(long Step, bool IsFinal, IReadOnlyList<(string Name, double? Value)> Metrics);
}
