using System.Text;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Host.Tasks;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

/// <summary>The tasks char-lm and byte-lm.</summary>
public sealed class TextTaskTests
{
    private DirectoryInfo _folder = null!;
    private string _path = null!;

    [SetUp]
    public void CreateFile()
    {
        _folder = Directory.CreateTempSubdirectory("zoo-text-");
        _path = Path.Combine(_folder.FullName, "counting.txt");
        // 100 characters that tell their place: the k-th is the code point 1000 + k.
        File.WriteAllText(_path, string.Concat(Enumerable.Range(0, 100).Select(k => (char)(1000 + k))), new UTF8Encoding(false));
    }

    [TearDown]
    public void DeleteFolder() => _folder.Delete(recursive: true);

    [Test]
    public void Open_File_SplitsItAndSaysSo()
    {
        using var data = Open(new CharLmTask(), 7);
        Assert.That(data.Shape, Is.EqualTo(new TaskShape(ModelKind.TokenModel) { VocabSize = 100, Length = 7, MaximumLength = 7 }));
        Assert.That(data.Description, Does.Match(@"^counting\.txt \(sha256 [0-9a-f]{16}, 100 symbols\): 90 characters to train on, 10 held out$"));
        Assert.That(data.Text!.Decode([0, 99]), Is.EqualTo("\u03e8\u044b"));
    }

    [Test]
    public void TrainingBatch_AnyIndex_IsAWindowOfTheFirstPartWithTheNextCharacters()
    {
        using var scope = NewDisposeScope();
        using var data = Open(new CharLmTask(), 7);
        var batch = (TokenBatch)data.TrainingBatch([.. Enumerable.Range(0, 500).Select(i => (long)i)]);
        Assert.That(batch.Ids.shape, Is.EqualTo((long[])[500, 7]));
        Assert.That(batch.ScoredPositions.data<long>().ToArray(), Is.EqualTo(Enumerable.Range(0, 3500).Select(p => (long)p)));
        var (ids, targets) = (batch.Ids.data<long>().ToArray(), batch.Targets.data<long>().ToArray());
        Assert.That(ids.Zip(targets).All(pair => pair.Second == pair.First + 1));
        Assert.That(Enumerable.Range(0, 3500).All(p => p % 7 == 0 || ids[p] == ids[p - 1] + 1));
        var starts = Enumerable.Range(0, 500).Select(row => ids[row * 7]).ToHashSet();
        Assert.That(starts, Is.EquivalentTo(Enumerable.Range(0, 83).Select(k => (long)k)), "every window of the first 90 comes, and no other");
    }

    [TestCase(7), TestCase(9), TestCase(4), TestCase(1)]
    public void HeldOutBatch_AllOfIt_ScoresEveryCharacterButTheFirstOnce(int length)
    {
        using var scope = NewDisposeScope();
        using var data = Open(new CharLmTask(), length);
        var set = data.HeldOut.Single();
        var batch = (TokenBatch)data.HeldOutBatch(set, [.. Enumerable.Range(0, (int)set.Count).Select(i => (long)i)]);
        var (ids, positions, targets) =
            (batch.Ids.data<long>().ToArray(), batch.ScoredPositions.data<long>().ToArray(), batch.Targets.data<long>().ToArray());
        Assert.That(targets, Is.EqualTo(Enumerable.Range(91, 9).Select(k => (long)k)));
        Assert.That(positions.Zip(targets).All(pair => ids[pair.First] == pair.Second - 1));
        Assert.That(ids.Min(), Is.EqualTo(90));
    }

    [Test]
    public void Open_TestLengths_ScoresTheSameCharactersInLongerWindowsAtTheEnd()
    {
        using var data = Open(new CharLmTask(), 4, "[9, 6]");
        Assert.That(data.HeldOut.Select(s => (s.Name, s.Count, s.Length, s.DuringTraining)), Is.EqualTo(
            new (string, long, int?, bool)[] { ("val", 3, 4, true), ("val_6", 2, 6, false), ("val_9", 1, 9, false) }));
        Assert.That(data.Shape.MaximumLength, Is.EqualTo(9));
    }

    [Test]
    public void ByteLm_File_HasTheBytesAsIds()
    {
        using var scope = NewDisposeScope();
        var bytes = Path.Combine(_folder.FullName, "bytes.bin");
        File.WriteAllBytes(bytes, [.. Enumerable.Range(0, 256).Select(b => (byte)(255 - b))]);
        using var data = new ByteLmTask().Open(new TaskRequest { DataPath = bytes, Length = 5 });
        Assert.That(data.Shape.VocabSize, Is.EqualTo(256));
        var row = (TokenBatch)data.HeldOutBatch(data.HeldOut[0], [0]);
        Assert.That(row.Ids.data<long>().ToArray(), Is.EqualTo((long[])[25, 24, 23, 22, 21]));
        Assert.That(row.Targets.data<long>().ToArray(), Is.EqualTo((long[])[24, 23, 22, 21, 20]));
    }

    [TestCase(90, "90 of them to train on, and a window of 90 needs 91"), TestCase(10, "10 of them held out, and a window of 10 needs 11")]
    public void Open_WindowLongerThanTheText_SaysHowMuchIsThere(int length, string reason) =>
        Assert.That(() => Open(new CharLmTask(), length), Throws.TypeOf<UserException>().With.Message.Contains(reason));

    [Test]
    public void Open_LengthGivenTwice_IsRefused()
    {
        Assert.That(
            () => new CharLmTask().Open(new TaskRequest { Length = 7, Options = new JsonObject { ["length"] = 8 } }),
            Throws.TypeOf<ConfigException>().With.Message.Contains("'length' is 8, and --length is 7"));
        Assert.That(
            () => new CharLmTask().Open(new TaskRequest { Length = 7, Options = new JsonObject { ["length"] = 7 } }).Dispose(), Throws.Nothing);
    }

    [TestCase("length", "0"), TestCase("held_out", "1"), TestCase("test_lengths", "[64, 64]"), TestCase("lenght", "5")]
    public void Open_WrongOption_IsRefused(string key, string value) =>
        Assert.That(
            () => new CharLmTask().Open(new TaskRequest { Options = new JsonObject { [key] = JsonNode.Parse(value) } }),
            Throws.TypeOf<ConfigException>().With.Message.Contains($"'{key}'"));

    [Test]
    public void Open_NoData_GeneratesTextOfTwoHundredThousandCharacters()
    {
        using var data = new CharLmTask().Open(new TaskRequest());
        Assert.That(data.Description, Does.StartWith("generated simple English, version 1 (sha256 "));
        Assert.That(data.HeldOut.Single().Count * 128, Is.InRange(20_000, 20_200));
    }

    [Test]
    public void Open_TinyShakespeare_HasNanoGptsSymbolsAndSplit()
    {
        string?[] roots =
            [Environment.GetEnvironmentVariable("ZOO_DATA"), Path.Combine(ZooProcess.Folder, "..", "..", "..", "..", "..", "shared", "data")];
        var path = roots.OfType<string>().Select(root => Path.Combine(root, "tinyshakespeare.txt")).FirstOrDefault(File.Exists);
        if (path is null)
            Assert.Ignore("There is no tinyshakespeare.txt below ZOO_DATA or below shared/data beside the repository.");
        using var data = new CharLmTask().Open(new TaskRequest { DataPath = path, Length = 64 });
        Assert.That(data.Description, Does.EndWith("65 symbols): 1,003,854 characters to train on, 111,540 held out"));
    }

    private TaskData Open(ITask task, int length, string testLengths = "[]") => task.Open(new TaskRequest
    {
        DataPath = _path,
        Length = length,
        Options = new JsonObject { ["test_lengths"] = JsonNode.Parse(testLengths) },
    });
}
