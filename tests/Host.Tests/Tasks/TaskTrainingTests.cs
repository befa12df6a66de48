using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host;
using Zoo.Host.Tasks;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Tasks;
using Zoo.Tests.Runs;
using Zoo.Tests.Training;
using Zoo.Tests.Verification;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>Every task of the host, trained and scored with a tiny model of its kind.</summary>
public sealed class TaskTrainingTests
{
    private static IEnumerable<TestCaseData> EveryTask => HostTasks.All.Select(task => new TestCaseData(task).SetArgDisplayNames(task.Info.Name));

    [TestCaseSource(nameof(EveryTask))]
    public void Train_AnyTask_RunsAndScoresEverySet(object task)
    {
        var options = new JsonObject();
        foreach (var (key, value) in new[] { ("train_count", 30), ("test_count", 20) })
        {
            if (ConfigJson.Has(ConfigJson.Write(((ITask)task).Options), key))
                options[key] = value;
        }
        using var data = ((ITask)task).Open(new TaskRequest { Options = options });
        var settings = data.Training with { BatchSize = 4, Steps = 2, Passes = null };
        using var model = Model(data.Shape, dim: 8);
        using var trainer = new Trainer(model, data, settings.Over(TestSettings.Complete), new TrainerOptions());
        Assert.That(Steps(trainer, 2), Has.All.GreaterThan(0));

        var metrics = new Evaluator(model, data, CPU).Run(data.HeldOut);
        foreach (var set in data.HeldOut)
        {
            var own = metrics.Where(m => m.Name.StartsWith(set.Name + "_", StringComparison.Ordinal)).ToList();
            Assert.That(own, Is.Not.Empty, set.Name);
            Assert.That(own.All(m => double.IsFinite(m.Value) && m.Count > 0), set.Name);
        }
    }

    [Test]
    public void Train_EvenPairs_IsLearnt()
    {
        manual_seed(1);
        using var data = TokenTasks.Open("even-pairs", "length=8 test_count=200");
        using var model = Model(data.Shape, dim: 16);
        using var trainer = new Trainer(model, data, TestSettings.Complete with { BatchSize = 32, Steps = 200 }, new TrainerOptions());
        Steps(trainer, 200);
        var metrics = new Evaluator(model, data, CPU).Run(data.HeldOut.Take(1));
        Assert.That(metrics[0], Is.EqualTo(new Metric("val_scaled_accuracy", 1, 200)));   // a target one place off leaves it near 0
    }

    [TestCase("char-lm", 2.2), TestCase("byte-lm", 2.2)]
    public void Train_Text_IsLearntBeyondItsFrequencies(string task, double most)
    {
        manual_seed(1);
        using var data = TokenTasks.Open(task, "length=32 held_out=0.02");
        using var model = Model(data.Shape, dim: 32);
        using var trainer = new Trainer(model, data, TestSettings.Complete with { BatchSize = 16, Steps = 150 }, new TrainerOptions());
        Steps(trainer, 150);
        var loss = new Evaluator(model, data, CPU).Run(data.HeldOut).Single(m => m.Name == "val_loss").Value;
        TestContext.Out.WriteLine($"{loss:0.000} nats");
        Assert.That(loss, Is.LessThan(most));   // 1.5 and 1.8 measured; the frequencies of single characters give 2.9
    }

    [TestCase("sequential-mnist"), TestCase("permuted-mnist")]
    public void Train_DigitsRowByRow_IsLearntBeyondChance(string task)
    {
        manual_seed(1);
        using var data = TokenTasks.Open(task, "pixels_per_step=28 train_count=500 test_count=200");
        Assert.That(data.Shape, Is.EqualTo(
            new TaskShape(ModelKind.VectorSequence) { ClassCount = 10, Length = 28, MaximumLength = 28, InputDim = 28 }));
        using var model = Model(data.Shape, dim: 24);
        using var trainer = new Trainer(model, data, TestSettings.Complete with { BatchSize = 32, Steps = 150 }, new TrainerOptions());
        Steps(trainer, 150);
        var error = new Evaluator(model, data, CPU).Run(data.HeldOut).Single(m => m.Name == "test_error_percent").Value;
        TestContext.Out.WriteLine($"{error:0.0} % wrong");
        Assert.That(error, Is.LessThan(55));   // 36 and 22 measured
    }

    [Test]
    public void SequentialMnist_Steps_AreThePixelsInOrderAndThePermutationMovesThem()
    {
        using var scope = NewDisposeScope();
        const string few = "train_count=3 test_count=1";
        using var images = TokenTasks.Open("digits", few);
        using var rows = TokenTasks.Open("sequential-mnist", few + " pixels_per_step=28");
        using var pixels = TokenTasks.Open("sequential-mnist", few);
        using var permuted = TokenTasks.Open("permuted-mnist", few);
        using var again = TokenTasks.Open("permuted-mnist", few, seed: 5);
        var image = ((ImageBatch)images.TrainingBatch([2, 1])).Images;
        var labels = ((ImageBatch)images.TrainingBatch([2, 1])).Labels.data<long>().ToArray();
        foreach (var (data, shape) in new[] { (rows, new long[] { 2, 28, 28 }), (pixels, [2, 784, 1]), (permuted, [2, 784, 1]) })
        {
            var batch = (VectorBatch)data.TrainingBatch([2, 1]);
            Assert.That(batch.Inputs.shape, Is.EqualTo(shape));
            Assert.That(batch.Labels.data<long>().ToArray(), Is.EqualTo(labels));
            var same = batch.Inputs.reshape(-1).equal(image.reshape(-1)).all().item<bool>();
            Assert.That(same, Is.EqualTo(data != permuted));
        }
        var moved = ((VectorBatch)permuted.TrainingBatch([2, 1])).Inputs;
        Assert.That(moved.flatten(1).sort().Values.equal(image.flatten(1).sort().Values).all().item<bool>(), "the same pixels");
        Assert.That(((VectorBatch)again.TrainingBatch([2, 1])).Inputs.equal(moved).all().item<bool>(), "the order does not depend on the seed");
    }

    [Test]
    public void Plan_OfARunWhoseTextChanged_IsRefused()
    {
        var folder = Directory.CreateTempSubdirectory("zoo-text-");
        try
        {
            var path = Path.Combine(folder.FullName, "book.txt");
            File.WriteAllText(path, string.Concat(Enumerable.Repeat("one two three\n", 200)));
            var architecture = new InstalledArchitecture(new TinyTokenArchitecture(TokenFault.None), "Tests", "1.0.0", folder.FullName);
            var catalog = new Catalog([architecture], HostTasks.All, new OpCatalog([]), []);
            using var data = new CharLmTask().Open(new TaskRequest { DataPath = path });
            using var fixture = new RunFixture();
            var record = fixture.Record with
            {
                Model = "tiny-token",
                Task = "char-lm",
                DataPath = path,
                Data = data.Description,
                DataFingerprint = data.Fingerprint,
                TrainingExamples = null,
            };
            record.Plan(catalog, dataPath: null).Dispose();
            File.AppendAllText(path, "!");
            Assert.That(() => record.Plan(catalog, dataPath: null), Throws.TypeOf<UserException>()
                .With.Message.StartsWith("The data are not the run's: there is book.txt (sha256 "));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Model Model(TaskShape shape, int dim) => shape.Kind switch
    {
        ModelKind.TokenModel => new TinyGruTokens(shape.VocabSize!.Value, dim),
        ModelKind.VectorSequence => new TinyGruVectors(shape, dim),
        _ => new TinyPixels(shape),
    };

    private static List<double> Steps(Trainer trainer, int count)
    {
        var reports = new List<StepReport>();
        while (reports.Count < count)
            trainer.Advance(count - reports.Count, reports);
        return reports.ConvertAll(r => r.Loss);
    }
}
