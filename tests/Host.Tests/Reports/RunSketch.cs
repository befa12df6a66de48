using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Host.Reports;
using Zoo.Host.Runs;
using Zoo.Reports;

namespace Zoo.Tests.Reports;

/// <summary>Writes run folders as `zoo train` leaves them, without training.</summary>
internal sealed class RunSketch : IDisposable
{
    /// <summary>A folder of its own, removed at the end.</summary>
    public string Parent { get; } = Directory.CreateTempSubdirectory("zoo-report-").FullName;

    /// <summary>A finished run of 200 steps over 50 examples, evaluated every 50 steps.</summary>
    /// <param name="name">The folder's name.</param>
    /// <param name="change">Changes its config.</param>
    /// <param name="metrics">Lines of metrics.jsonl; made up unless given, and not written where empty.</param>
    /// <param name="details">Items of report.json; none unless given.</param>
    /// <param name="environment">environment.json; an ordinary one unless given.</param>
    /// <returns>The folder.</returns>
    public string Write(
        string name, Action<JsonObject>? change = null, IEnumerable<string>? metrics = null, IReadOnlyList<ReportItem>? details = null, JsonObject? environment = null)
    {
        var path = Path.Combine(Parent, name);
        Directory.CreateDirectory(RunFolder.CheckpointsOf(path));
        var config = Config();
        change?.Invoke(config);
        File.WriteAllText(Path.Combine(path, RunFolder.ConfigName), config.ToJsonString());
        var lines = (metrics ?? Metrics(config["seed"]!.GetValue<int>())).ToList();
        if (lines.Count > 0)
            File.WriteAllText(Path.Combine(path, "metrics.jsonl"), string.Join('\n', lines) + "\n");
        File.WriteAllText(Path.Combine(path, "environment.json"), (environment ?? new JsonObject
        {
            ["zoo"] = "0.1.0",
            ["cpu"] = "Some processor",
            ["backends"] = new JsonObject { ["some_op"] = "cpu" },
        }).ToJsonString());
        if (details is not null)
            new RunDetails(200, details).Write(path);
        var checkpoint = Path.Combine(RunFolder.CheckpointsOf(path), "step-200");
        Directory.CreateDirectory(checkpoint);
        File.WriteAllBytes(Path.Combine(checkpoint, "model.safetensors"), new byte[1234]);
        return path;
    }

    /// <summary>The page of some folders.</summary>
    public static string Html(params string[] paths) => HtmlReport.ForRuns([.. paths.Select(p => ReportRun.Read(p))]);

    /// <summary>Ordinary details: a confusion matrix and two misread images.</summary>
    public static IReadOnlyList<ReportItem> Details(string caption = "1 read as 0") =>
    [
        new MatrixItem("Confusion matrix of test", "class", "read as", ["0", "1"], new long[][] { [40, 0], [3, 1234] }),
        new ImageGridItem("Misread examples of test", 2, 3, [new(caption, [0, 50, 100, 150, 200, 255]), new("0 read as 1", [9, 9, 9, 9, 9, 9])]),
    ];

    /// <summary>A line of metrics.jsonl.</summary>
    public static string Step(long step, double? loss) => new JsonObject
    {
        ["event"] = "step",
        ["step"] = step,
        ["loss"] = loss,
        ["lr"] = 0.1,
        ["tokens_per_second"] = 1000,
        ["seconds"] = step / 500.0,
    }.ToJsonString();

    /// <summary>A line of metrics.jsonl.</summary>
    public static string Evaluation(long step, double error, double loss, bool isFinal = false)
    {
        var record = new JsonObject
        {
            ["event"] = "eval",
            ["step"] = step,
            ["metrics"] = new JsonObject { ["test_error_percent"] = error, ["test_misses"] = error * 10, ["test_loss"] = loss },
        };
        if (isFinal)
            record["final"] = true;
        return record.ToJsonString();
    }

    public void Dispose() => Directory.Delete(Parent, recursive: true);

    private static JsonObject Config() => JsonSerializer.SerializeToNode(new
    {
        format = 1,
        model = "tiny",
        preset = "default",
        plugin = "Tests",
        plugin_version = "1.0.0",
        config = new { hidden = 12, nested = new { depth = 2 } },
        task = "dots",
        task_version = 1,
        task_options = new { },
        data_path = (string?)null,
        data = "tiny images",
        training_examples = 50,
        length = (int?)null,
        training = new { optimizer = "sgd", lr = 0.1, batch_size = 1, accumulate = 1, steps = 200 },
        steps = 200,
        seed = 3,
        device = "cpu",
        dtype = "fp32",
        kernels = "auto",
        threads = 1,
        eval_every = 50,
        checkpoint_every = (long?)null,
        keep = 2,
        started = "2026-03-04T05:06:07+00:00",
    })!.AsObject();

    private static IEnumerable<string> Metrics(int seed)
    {
        for (var step = 1L; step <= 200; step++)
        {
            yield return Step(step, (2.0 + seed * 0.1) / step + 0.01 * (step % 3));
            if (step % 50 == 0 && step < 200)
                yield return Evaluation(step, 400.0 / step + seed, 1.0 / step);
        }
        yield return Evaluation(200, 2.0 + seed, 0.005, isFinal: true);
    }
}
