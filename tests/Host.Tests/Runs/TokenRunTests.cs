using Zoo.Architectures;
using Zoo.Host.Cli;
using Zoo.Host.Diagnostics;
using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Tests.Training;
using Zoo.Tests.Verification;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>A model over tokens trained with evaluations and checkpoints, in both arithmetics.</summary>
internal sealed class TokenRunTests
{
    private static readonly TrainingSettings Settings =
        TestSettings.Complete with { Steps = 60, Schedule = ScheduleKind.Cosine, WarmupSteps = 5 };

    [TestCase(ScalarType.Float32)]
    [TestCase(ScalarType.BFloat16)]
    public void Run_KilledAndResumed_IsBitEqualToOneThatWasNot(ScalarType dtype)
    {
        using var runs = new RunFixture { Settings = Settings };
        var straight = Begin(runs, dtype);
        Train(straight, dtype);

        var killed = Begin(runs, dtype);
        Assert.That(() => Train(killed, dtype, data => data.Count == 47 ? throw new InvalidOperationException("killed") : 0), Throws.InvalidOperationException);
        Assert.That(RunFixture.Checkpoints(killed), Is.EqualTo(["step-30", "step-40"]));
        Train(killed, dtype);

        var (model, optimizer, records) = RunFixture.Result(killed, step: 60);
        var expected = RunFixture.Result(straight, step: 60);
        Assert.That(model, Is.EqualTo(expected.Model));
        Assert.That(optimizer, Is.EqualTo(expected.Optimizer));
        Assert.That(records, Is.EqualTo(expected.Records));
    }

    [Test]
    public void Run_BFloat16_KeepsFloat32WeightsAndLearns()
    {
        using var runs = new RunFixture { Settings = Settings };
        var (single, half) = (Begin(runs, ScalarType.Float32), Begin(runs, ScalarType.BFloat16));
        Train(single, ScalarType.Float32);
        Train(half, ScalarType.BFloat16);

        using var scope = NewDisposeScope();
        using var file = Files.SafeTensorsFile.Open(Path.Combine(RunFolder.CheckpointsOf(half), "step-60", Checkpoint.ModelName));
        Assert.That(file.Tensors.Select(t => t.Dtype), Is.All.EqualTo(ScalarType.Float32));
        Assert.That(RunFixture.Result(half, 60).Model, Is.Not.EqualTo(RunFixture.Result(single, 60).Model));
        var (last, first) = (Losses(half)[^1], Losses(half)[0]);
        Assert.That(last, Is.LessThan(0.8 * first).And.EqualTo(Losses(single)[^1]).Within(0.001), "measured 0.0002 apart");
    }

    [Test]
    public void Run_ManySteps_MemoryStaysFlat()
    {
        const int steps = 2000;
        using var runs = new RunFixture { Settings = Settings with { Steps = steps } };
        var path = Begin(runs, ScalarType.BFloat16);
        var (tensors, resident) = (new List<long>(), new List<long>());
        Train(path, ScalarType.BFloat16, data =>
        {
            if (data.Count % 200 == 100)   // between checkpoints and evaluations
            {
                tensors.Add(Gradients.LiveTensors);
                resident.Add(MemoryUse.Resident);
            }
            return 0;
        });

        Assert.That(tensors[^1], Is.LessThanOrEqualTo(tensors[0]), string.Join(", ", tensors));
        // Compiling goes on for the first thousand steps, 30 MB in a process of its own.
        Assert.That((resident[^1] - resident[^5]) / 1e6, Is.LessThan(6), "MB over 800 steps; measured 2.8");
    }

    private static string Begin(RunFixture runs, ScalarType dtype) => runs.Begin(runs.Record with
    {
        Dtype = DtypeName.Of(dtype),
        EvalEvery = 15,
        CheckpointEvery = 10,
    });

    private static List<double> Losses(string path) =>
        [.. MetricsLog.Read(Path.Combine(path, RunFolder.MetricsName)).Where(r => r["loss"] is not null).Select(r => RunFixture.Number(r, "loss"))];

    private static void Train(string path, ScalarType dtype, Func<TinyTokenData, int>? onBatch = null)
    {
        using var data = new TinyTokenData { OnTrainingBatch = onBatch ?? (_ => 0) };
        using var folder = RunFolder.Open(path);
        var record = RunRecord.Read(folder.ConfigPath);
        manual_seed(record.Seed);
        using var model = new TinyTokenModel(new TinyImageConfig(), new BuildContext { Dtype = dtype }, TokenFault.None);
        var settings = Settings with { Steps = record.Steps };
        using var trainer = new Trainer(model, data, settings, new TrainerOptions { Seed = record.Seed, Dtype = dtype });
        var start = new CheckpointStore(folder.CheckpointsPath, record.Keep).NewestWhole(_ => { });
        new TrainingRun(record, folder, data, model, trainer, new Evaluator(model, data, CPU), new Output { Quiet = true }, CancellationToken.None).Run(start);
    }
}
