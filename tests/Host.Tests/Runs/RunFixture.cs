using System.Text.Json.Nodes;
using Zoo.Configuration;
using Zoo.Host.Cli;
using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Tests.Training;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>A run of the tiny classifier in a temporary folder, begun and resumed as the command does it.</summary>
internal sealed class RunFixture : IDisposable
{
    /// <summary>A folder of its own, removed at the end.</summary>
    public string Parent { get; } = Directory.CreateTempSubdirectory("zoo-run-").FullName;

    public TrainingSettings Settings { get; init; } = TestSettings.Complete with { Steps = 40, Schedule = ScheduleKind.Cosine };

    public RunRecord Record => new()
    {
        Model = "tiny",
        Preset = "default",
        Plugin = "Tests",
        PluginVersion = "1.0.0",
        Config = [],
        Task = "dots",
        TaskVersion = 1,
        TaskOptions = [],
        DataPath = null,
        Data = "tiny images",
        TrainingExamples = 40,
        Length = null,
        Training = ConfigJson.Write(Settings),
        Steps = Settings.Steps!.Value,
        Seed = 3,
        Device = "cpu",
        Dtype = "fp32",
        Kernels = "auto",
        Threads = 1,
        EvalEvery = 7,
        CheckpointEvery = 5,
        Keep = 2,
        Started = new DateTimeOffset(2026, 3, 4, 5, 6, 7, TimeSpan.Zero),
    };

    public string Begin(RunRecord? record = null)
    {
        using var folder = RunFolder.Create(Parent, record ?? Record, RunEnvironment.Capture("cpu", 1, "auto"));
        return folder.Path;
    }

    /// <summary>Trains from the newest whole checkpoint.</summary>
    /// <param name="path">The run folder.</param>
    /// <param name="interruptAtBatch">Interrupts when this training batch of the session is asked for.</param>
    /// <param name="interruptAtEvaluation">Interrupts in this held-out batch of the session.</param>
    /// <param name="poison">An example with a NaN.</param>
    /// <param name="notes">Gets the sentences about checkpoints passed over.</param>
    public RunOutcome Train(
        string path, int? interruptAtBatch = null, int? interruptAtEvaluation = null, long? poison = null, List<string>? notes = null)
    {
        using var interrupt = new CancellationTokenSource();
        var (batches, evaluations) = (0, 0);
        using var data = new TinyData
        {
            PoisonedExample = poison,
            OnTrainingBatch = () => CancelAt(interrupt, ++batches, interruptAtBatch),
            OnHeldOutBatch = () => CancelAt(interrupt, ++evaluations, interruptAtEvaluation),
        };
        using var folder = RunFolder.Open(path);
        var record = RunRecord.Read(folder.ConfigPath);
        manual_seed(record.Seed);
        using var model = new TinyClassifier();
        using var trainer = new Trainer(model, data, Settings, new TrainerOptions { Seed = record.Seed });
        var start = new CheckpointStore(folder.CheckpointsPath, record.Keep).NewestWhole(text => notes?.Add(text));
        return new TrainingRun(
            record, folder, data, model, trainer, new Evaluator(model, data, CPU), new Output { Quiet = true }, interrupt.Token).Run(start);
    }

    /// <summary>What must be equal however often a run was stopped: the final files' bytes, and the records without their times.</summary>
    public static (string Model, string Optimizer, IReadOnlyList<string> Records) Result(string path, long step = 40)
    {
        var checkpoint = Path.Combine(RunFolder.CheckpointsOf(path), Checkpoint.NameOf(step));
        var records = MetricsLog.Read(Path.Combine(path, "metrics.jsonl")).Select(r =>
        {
            r.Remove("seconds");
            r.Remove("tokens_per_second");
            r.Remove("peak_memory_bytes");
            return r.ToJsonString();
        });
        return (Files.FileHash.Sha256(Path.Combine(checkpoint, Checkpoint.ModelName)),
            Files.FileHash.Sha256(Path.Combine(checkpoint, Checkpoint.OptimizerName)), [.. records]);
    }

    /// <summary>The names below a run's checkpoints.</summary>
    public static IEnumerable<string> Checkpoints(string path) =>
        Directory.EnumerateFileSystemEntries(RunFolder.CheckpointsOf(path)).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal);

    /// <summary>A record's number.</summary>
    public static double Number(JsonObject record, string key) => record[key]!.GetValue<double>();

    public void Dispose() => Directory.Delete(Parent, recursive: true);

    private static void CancelAt(CancellationTokenSource source, int count, int? at)
    {
        if (count == at)
            source.Cancel();
    }
}
