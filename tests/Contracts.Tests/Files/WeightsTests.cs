using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Files;

[NonParallelizable]   // counts live mappings
public sealed class WeightsTests
{
    private const string Index = "model.safetensors.index.json";

    [Test]
    public void Open_File_GivesItsTensorsAndTheConfigBeside()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("any.safetensors"), new NamedTensors { ["w"] = ones(2) }, new Dictionary<string, string> { ["format"] = "pt" });
        using (var weights = Weights.Open(folder.File("any.safetensors")))
        {
            Assert.That(weights.ConfigPath, Is.Null);
            Assert.That(weights.Names, Is.EqualTo(new[] { "w" }));
            Assert.That(weights.Metadata["format"], Is.EqualTo("pt"));
            Assert.That(weights.Load("w").sum().item<float>(), Is.EqualTo(2));
            Assert.That(weights.Find("w")!.ByteCount, Is.EqualTo(8));
            Assert.That(weights.Find("v"), Is.Null);
            Assert.That(() => weights.Load("v"), Throws.TypeOf<BadFileException>().With.Message.Contains("has no tensor 'v'. Did you mean 'w'?"));
        }
        folder.Write("config.json", "{}");
        using var withConfig = Weights.Open(folder.File("any.safetensors"));
        Assert.That(withConfig.ConfigPath, Is.EqualTo(folder.File("config.json")));
    }

    [Test]
    public void Open_FolderWithOneFile_TakesIt()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        SafeTensorsWriter.Write(folder.File("model.safetensors"), new NamedTensors { ["w"] = ones(2) });
        folder.Write("config.json", "{}");
        using var weights = Weights.Open(folder.Path);
        Assert.That(weights.LoadAll()["w"].sum().item<float>(), Is.EqualTo(2));
        Assert.That(weights.ConfigPath, Is.EqualTo(folder.File("config.json")));
    }

    [Test]
    public void Open_Shards_GivesEveryTensorInTheIndexsOrder([Values] bool byFolder)
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        folder.Write("config.json", "{}");
        var before = FileMapping.LiveCount;
        NamedTensors tensors;
        using (var weights = Weights.Open(byFolder ? folder.Path : folder.File(Index)))
        {
            Assert.That(weights.Names, Is.EqualTo(new[] { "a", "b", "c" }));
            Assert.That(weights.ConfigPath, Is.EqualTo(folder.File("config.json")));
            Assert.That(weights.Find("b")!.Shape, Is.EqualTo(new long[] { 2 }));
            tensors = weights.LoadAll();
        }
        Assert.That(tensors.Select(t => (t.Key, t.Value.sum().item<float>())), Is.EqualTo(new[] { ("a", 1f), ("b", 2f), ("c", 3f) }));
        foreach (var tensor in tensors.Values)
            tensor.Dispose();
        Assert.That(FileMapping.LiveCount, Is.EqualTo(before));
    }

    [Test]
    public void Open_ShardsInTheCurrentFolder_FindsThemByTheBareName()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        var path = Path.GetRelativePath(Directory.GetCurrentDirectory(), folder.File(Index));
        using var weights = Weights.Open(path);
        Assert.That(weights.Names, Has.Count.EqualTo(3));
    }

    [Test]
    public void Open_ShardMissing_IsNamed()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        File.Delete(folder.File("model-2.safetensors"));
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .EqualTo($"'{folder.File(Index)}' names 'model-2.safetensors', which is not beside it. Fetch the missing files."));
    }

    [Test]
    public void Open_TensorListedButAbsent_IsNamed()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        SafeTensorsWriter.Write(folder.File("model-2.safetensors"), new NamedTensors { ["a"] = ones(1) });
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .EqualTo($"'{folder.File(Index)}' says that model-2.safetensors holds 'c', and it does not. Index and files do not belong together."));
    }

    [Test]
    public void Open_TensorThatIsNotListed_IsNamed()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        var many = Enumerable.Range(0, 7).Select(i => KeyValuePair.Create($"x{i}", ones(1)));
        SafeTensorsWriter.Write(folder.File("model-2.safetensors"), new NamedTensors(many) { ["a"] = ones(1), ["c"] = ones(3) });
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .EqualTo($"model-2.safetensors holds 'x0', 'x1', 'x2', 'x3', 'x4' and 2 more, which '{folder.File(Index)}' does not place there. Index and files do not belong together."));
    }

    [Test]
    public void Open_ShardMalformed_NamesTheShard()
    {
        using var folder = new TemporaryFolder();
        using var scope = NewDisposeScope();
        WriteTwoShards(folder);
        folder.Write("model-2.safetensors", "short");
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message.StartsWith($"'{folder.File("model-2.safetensors")}' is not a valid safetensors file: it has 5 bytes"));
    }

    [TestCase("../secret.safetensors")]
    [TestCase("/etc/secret.safetensors")]
    [TestCase("sub/model.safetensors")]
    [TestCase("sub\\\\model.safetensors")]
    [TestCase("..")]
    [TestCase(".hidden.safetensors")]
    [TestCase("model.bin")]
    [TestCase("")]
    [TestCase("a b.safetensors")]
    public void Open_ShardNameThatIsNoPlainName_IsRefused(string shard)
    {
        using var folder = new TemporaryFolder();
        folder.Write(Index, $$$"""{"weight_map":{"w":"{{{shard}}}"}}""");
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .Contains($"tensor 'w' is placed in '\"{shard}\"'; that must be the name of a .safetensors file beside the index"));
    }

    [TestCase("{", "it is not JSON (line 1)")]
    [TestCase("\n\n]", "it is not JSON (line 3)")]
    [TestCase("[]", "it has no object 'weight_map'")]
    [TestCase("{}", "it has no object 'weight_map'")]
    [TestCase("""{"weight_map":[]}""", "it has no object 'weight_map'")]
    [TestCase("""{"weight_map":{}}""", "its 'weight_map' is empty")]
    [TestCase("""{"weight_map":{"w":3}}""", "tensor 'w' is placed in '3'")]
    [TestCase("""{"weight_map":{"w":"a.safetensors","w":"b.safetensors"}}""", "it lists tensor 'w' twice")]
    [TestCase("""{"weight_map":{"\ud800":"a.safetensors"}}""", "it holds text that is not Unicode")]
    [TestCase("""{"weight_map":{"w":"\ud800"}}""", "it holds text that is not Unicode")]
    public void Open_IndexMalformed_SaysHow(string text, string sentence)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write(Index, text);
        Assert.That(() => Weights.Open(path), Throws.TypeOf<BadFileException>().With.Message
            .StartsWith($"'{path}' is not a valid index of safetensors files: {sentence}"));
    }

    [TestCase("pytorch_model.bin")]
    [TestCase("model.pth")]
    [TestCase("model.PT")]
    [TestCase("last.ckpt")]
    public void Open_Pickle_IsRefusedWithTheLineThatConvertsIt(string name)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write(name, "anything");
        Assert.That(() => Weights.Open(path), Throws.TypeOf<BadFileException>().With.Message
            .StartsWith($"'{path}' is a pickled checkpoint by its name, and reading a pickle can run code. Convert it")
            .And.Message.Contains($"torch.load('{path}'"));
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .StartsWith($"The folder '{folder.Path}' has no model.safetensors and no {Index}. It has a pickled checkpoint. Convert it")
            .And.Message.Contains($"torch.load('{path}'"));
    }

    [Test]
    public void Open_FolderWithoutWeights_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .EqualTo($"The folder '{folder.Path}' has no model.safetensors and no {Index}."));
        folder.Write("adapter.safetensors", SafeTensorsBytes.With("{}"));
        Assert.That(() => Weights.Open(folder.Path), Throws.TypeOf<BadFileException>().With.Message
            .EndsWith("Name the file that is meant: adapter.safetensors."));
    }

    [TestCase("none.safetensors")]
    [TestCase("none.safetensors.index.json")]
    [TestCase("none.bin")]
    [TestCase("no/ne")]
    public void Open_MissingFile_IsNamed(string name)
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => Weights.Open(folder.File(name)), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"There is no file '{folder.File(name)}'."));
    }

    private static void WriteTwoShards(TemporaryFolder folder)
    {
        SafeTensorsWriter.Write(folder.File("model-1.safetensors"), new NamedTensors { ["b"] = ones(2) });
        SafeTensorsWriter.Write(folder.File("model-2.safetensors"), new NamedTensors { ["c"] = ones(3), ["a"] = ones(1) });
        folder.Write(Index, """
            {"metadata":{"total_size":24},
             "weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors","c":"model-2.safetensors"}}
            """);
    }
}
