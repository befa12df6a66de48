using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Host.Cli;
using Zoo.Host.Runs;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>Checkpoints under other names, transposed, with shared tensors and with tensors that nobody needs.</summary>
internal sealed class UpstreamNamesTests
{
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-names-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [Test]
    public void Match_OtherNames_ComeBackAsTheyWere()
    {
        using var scope = NewDisposeScope();
        var published = new NamedTensors
        {
            ["head.weight"] = arange(20.0).to(ScalarType.Float16).reshape(5, 4),
            ["model.wte.weight"] = arange(20.0).to(ScalarType.Float16).reshape(5, 4),
            ["model.mix.weight"] = arange(12.0).to(ScalarType.BFloat16).reshape(4, 3),
            ["model.mask"] = ones(2, 2),
        };
        var path = Path.Combine(_folder.FullName, "published.safetensors");
        SafeTensorsWriter.Write(path, published, new Dictionary<string, string> { ["format"] = "pt" });
        using var weights = Weights.Open(path);
        using var model = new Renamed();
        var (tensors, import) = ImportCommand.Match(new RenamedArchitecture(), new Verification.TinyImageConfig(), model, weights);

        Assert.That(tensors.Keys, Is.EquivalentTo(new[] { "embedding", "mixer" }));
        Assert.That(tensors["mixer"].shape, Is.EqualTo(new long[] { 3, 4 }));
        Assert.That(import.Left, Is.EqualTo(["model.mask"]));
        StateDict.Load(model, tensors, "it");
        Assert.That(model.Mixer[1, 2].item<float>(), Is.EqualTo(7), "row 2, column 1 of the published matrix");

        var checkpoints = Path.Combine(_folder.FullName, "checkpoints");
        Directory.CreateDirectory(checkpoints);
        new CheckpointStore(checkpoints, 1).Save(tensors, [], new CheckpointState
        {
            Step = 0,
            DataPosition = 0,
            Random = new(1, 0),
            LossSum = 0,
            LossCount = 0,
            TrainSeconds = 0,
            Files = [],
        });
        using var runs = new RunFixture();
        var saved = new SavedModel(_folder.FullName, runs.Record, Checkpoint.Open(Path.Combine(checkpoints, "step-0")));
        var (exported, metadata) = ExportCommand.Imported(saved, import);
        published.Remove("model.mask");
        Assert.That(exported.Keys, Is.EquivalentTo(published.Keys));
        foreach (var (name, tensor) in published)
        {
            Assert.That(exported[name].dtype, Is.EqualTo(tensor.dtype), name);
            Assert.That(exported[name].equal(tensor).all().item<bool>(), Is.True, name);
        }
        Assert.That(metadata!["format"], Is.EqualTo("pt"));
    }

    [Test]
    public void Match_TwoNamesOfOneTensor_NamesBoth()
    {
        using var scope = NewDisposeScope();
        var path = Path.Combine(_folder.FullName, "doubled.safetensors");
        SafeTensorsWriter.Write(path, new NamedTensors { ["mixer"] = zeros(3, 4), ["model.mix.weight"] = zeros(4, 3), ["embedding"] = zeros(5, 4) });
        using var weights = Weights.Open(path);
        using var model = new Renamed();

        Assert.That(() => ImportCommand.Match(new RenamedArchitecture(), new Verification.TinyImageConfig(), model, weights), Throws.TypeOf<UserException>()
            .With.Message.Contains("'model.mix.weight' and 'mixer' are both renamed's 'mixer'."));
    }

    private sealed class RenamedArchitecture : Architecture<Verification.TinyImageConfig>
    {
        public override ArchitectureInfo Info { get; } = new("renamed", "Names", "None") { Kind = ModelKind.TokenModel };

        public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
            new Dictionary<string, ModelConfig> { ["default"] = new Verification.TinyImageConfig() };

        public override UpstreamTensor? FindUpstream(string name) => name switch
        {
            "model.wte.weight" => new("embedding"),
            "model.mix.weight" => new("mixer") { Transposed = true },
            "model.mask" => null,
            _ => new(name),
        };

        protected override Model CreateModel(Verification.TinyImageConfig config, BuildContext context) => new Renamed();
    }

    private sealed class Renamed : TokenModel
    {
        [TorchSharp.Utils.ComponentName(Name = "embedding")] private readonly Parameter _embedding = new(zeros(5, 4));
        [TorchSharp.Utils.ComponentName(Name = "mixer")] private readonly Parameter _mixer = new(zeros(3, 4));

        public Renamed() : base("renamed") => RegisterComponents();

        public Tensor Mixer => _mixer;

        public override int VocabSize => 5;

        public override Tensor Hidden(Tensor ids) => _embedding.index_select(0, ids.flatten()).reshape(ids.shape[0], ids.shape[1], 4);

        public override Tensor Head(Tensor hidden) => hidden.mm(_embedding.t());

        public override IReadOnlyList<string> TiedKeys(string key) => key == "embedding" ? ["head.weight"] : [];
    }
}
