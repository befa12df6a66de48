using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Runs;
using Zoo.Tests.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

internal sealed class CheckpointStoreTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("zoo-checkpoints-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Save_ThenOpen_GivesEverythingBack()
    {
        using var scope = NewDisposeScope();
        using var saved = new TinyClassifier();
        var state = State(12) with { LossSum = 0.1 + 0.2, Random = new(-5, ulong.MaxValue) };
        new CheckpointStore(_folder, keep: 2).Save(saved, new NamedTensors { ["a.exp_avg"] = arange(3) }, state);
        using var loaded = new TinyClassifier();
        var checkpoint = new CheckpointStore(_folder, keep: 2).NewestWhole(Assert.Fail)!;
        checkpoint.LoadModel(loaded);

        Assert.That(checkpoint.State with { Files = [] }, Is.EqualTo(state with { Files = checkpoint.State.Files }).Using<CheckpointState>(
            (a, b) => (a with { Files = [] }).ToString() == (b with { Files = [] }).ToString()));
        Assert.That(checkpoint.State.LossSum, Is.EqualTo(0.1 + 0.2));
        Assert.That(checkpoint.State.Random, Is.EqualTo(new CheckpointState.RandomState(-5, ulong.MaxValue)));
        Assert.That(checkpoint.LoadOptimizer()["a.exp_avg"].data<long>().ToArray(), Is.EqualTo([0, 1, 2]));
        foreach (var (name, tensor) in loaded.state_dict())
            Assert.That(tensor.equal(saved.state_dict()[name]).all().item<bool>(), Is.True, name);
    }

    [Test]
    public void Save_More_KeepsTheNewest()
    {
        using var model = new TinyClassifier();
        var store = new CheckpointStore(_folder, keep: 3);
        foreach (var step in new[] { 1, 2, 9, 10, 100, 11 })   // by number, not by name
            store.Save(model, [], State(step));

        Assert.That(Names(), Is.EqualTo(["step-10", "step-11", "step-9"]), "100 came from a future that the run went back from");
    }

    [Test]
    public void Save_FailsHalfWay_LeavesNothingAndKeepsTheOlder()
    {
        using var scope = NewDisposeScope();
        using var model = new TinyClassifier();
        var store = new CheckpointStore(_folder, keep: 1);
        store.Save(model, [], State(1));

        Assert.That(() => store.Save(model, new NamedTensors { ["x"] = zeros(2, dtype: complex64) }, State(2)), Throws.ArgumentException);
        Assert.That(Names(), Is.EqualTo(["step-1"]));
        Assert.That(store.NewestWhole(Assert.Fail)!.State.Step, Is.EqualTo(1));
    }

    [Test]
    public void RemoveLeftovers_AfterAKill_RemovesHalfWrittenFoldersOnly()
    {
        using var model = new TinyClassifier();
        var store = new CheckpointStore(_folder, keep: 1);
        store.Save(model, [], State(1));
        Directory.CreateDirectory(Path.Combine(_folder, ".step-2.abc.partial"));
        Directory.CreateDirectory(Path.Combine(_folder, ".step-0.abc.removing"));
        store.RemoveLeftovers();

        Assert.That(Names(), Is.EqualTo(["step-1"]));
    }

    private static readonly Dictionary<string, Action<string>> Damages = new()
    {
        ["model cut short"] = path => Cut(Path.Combine(path, Checkpoint.ModelName)),
        ["optimizer cut short"] = path => Cut(Path.Combine(path, Checkpoint.OptimizerName)),
        ["state cut short"] = path => Cut(Path.Combine(path, Checkpoint.StateName)),
        ["a bit flipped"] = path => Flip(Path.Combine(path, Checkpoint.ModelName)),
        ["model gone"] = path => File.Delete(Path.Combine(path, Checkpoint.ModelName)),
        ["state gone"] = path => File.Delete(Path.Combine(path, Checkpoint.StateName)),
        ["state empty"] = path => File.WriteAllText(Path.Combine(path, Checkpoint.StateName), ""),
        ["state foreign"] = path => File.WriteAllText(Path.Combine(path, Checkpoint.StateName), """{"step": "soon"}"""),
        ["state without checksums"] = path => Edit(Path.Combine(path, Checkpoint.StateName), s => s["files"] = new JsonObject()),
        ["position below 0"] = path => Edit(Path.Combine(path, Checkpoint.StateName), s => s["data_position"] = -5),
        ["time below 0"] = path => Edit(Path.Combine(path, Checkpoint.StateName), s => s["train_seconds"] = -1e308),
        ["newer format"] = path => Edit(Path.Combine(path, Checkpoint.StateName), s => s["format"] = 9),
    };

    [TestCaseSource(nameof(DamageNames))]
    public void NewestWhole_NewestDamaged_TakesTheOneBeforeAndSaysWhy(string damage)
    {
        using var model = new TinyClassifier();
        var store = new CheckpointStore(_folder, keep: 2);
        store.Save(model, [], State(1));
        store.Save(model, [], State(2));
        Damages[damage](Path.Combine(_folder, "step-2"));
        var sentences = new List<string>();

        Assert.That(store.NewestWhole(sentences.Add)!.State.Step, Is.EqualTo(1));
        Assert.That(sentences, Has.Count.EqualTo(1));
        Assert.That(sentences[0], Does.Contain("passed over").And.Contain("step-2"));

        Damages[damage](Path.Combine(_folder, "step-1"));
        Assert.That(() => store.NewestWhole(_ => { }), Throws.TypeOf<BadFileException>().With.Message.Contains("step-1").And.Message.Contains("step-2"));
    }

    private static IEnumerable<string> DamageNames => Damages.Keys;

    [Test]
    public void NewestWhole_NoneYet_IsNull() => Assert.That(new CheckpointStore(_folder, 2).NewestWhole(Assert.Fail), Is.Null);

    private IEnumerable<string> Names() => Directory.EnumerateFileSystemEntries(_folder).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal);

    private static CheckpointState State(long step) => new()
    {
        Step = step,
        DataPosition = step * 8,
        Random = new(1, 2),
        LossSum = 0,
        LossCount = 0,
        TrainSeconds = 1.5,
        Files = [],
    };

    private static void Cut(string path)
    {
        using var file = File.OpenWrite(path);
        file.SetLength(file.Length / 2);
    }

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^3] ^= 4;
        File.WriteAllBytes(path, bytes);
    }

    private static void Edit(string path, Action<JsonObject> edit)
    {
        var state = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        edit(state);
        File.WriteAllText(path, state.ToJsonString());
    }
}
