using System.Text.Json.Nodes;
using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>`zoo import` and `zoo export` as users run them.</summary>
internal sealed class ImportExportTests
{
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-import-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [Test]
    public void ImportThenExport_BFloat16Shards_GivesTheSameTensorsAndConfig()
    {
        using var scope = NewDisposeScope();
        var tensors = Lenet();
        foreach (var name in tensors.Keys.Take(3).ToList())
            tensors[name] = tensors[name].to(ScalarType.BFloat16);
        var source = Path.Combine(_folder.FullName, "source");
        WriteShards(source, tensors);
        File.WriteAllText(Path.Combine(source, "config.json"), "{ \"of\" :  \"the original\" }\n");

        var imported = ZooProcess.Run(["import", "lenet1989", source, "--out", Runs, "--json"]);
        Assert.That(imported.ExitCode, Is.Zero, imported.Error);
        var record = imported.Records.Single();
        Assert.That(record["tensors"]!.GetValue<int>(), Is.EqualTo(tensors.Count));
        var exported = Export(record["run"]!.GetValue<string>(), "out");

        RequireSame(exported, tensors);
        Assert.That(File.ReadAllBytes(Path.Combine(_folder.FullName, "out", "config.json")), Is.EqualTo(File.ReadAllBytes(Path.Combine(source, "config.json"))));
    }

    [Test]
    public void ExportThenImport_TrainedRun_GivesTheSameModel()
    {
        var trained = ZooProcess.Run(["train", "lenet1989", "--steps", "30", "--out", Runs, "--json", "--quiet"]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var run = trained.Records[^1]["run"]!.GetValue<string>();
        using var scope = NewDisposeScope();
        using var checkpoint = SafeTensorsFile.Open(Path.Combine(Directory.GetDirectories(Path.Combine(run, "checkpoints")).Single(), "model.safetensors"));

        var file = Path.Combine(_folder.FullName, "weights.safetensors");
        var exported = ZooProcess.Run(["export", run, file]);
        Assert.That(exported.ExitCode, Is.Zero, exported.Error);
        RequireSame(file, checkpoint.LoadAll());
        Assert.That(JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.FullName, "config.json")))!["activation"], Is.Not.Null);

        var again = ZooProcess.Run(["import", "lenet1989", file, "--out", Runs, "--json"]);
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        RequireSame(Export(again.Records.Single()["run"]!.GetValue<string>(), "again"), checkpoint.LoadAll());
    }

    [Test]
    public void Import_TensorsThatDoNotFit_NamesThemAllAndLeavesNothing()
    {
        using var scope = NewDisposeScope();
        var tensors = Lenet();
        var (missing, misshaped, foreign) = (tensors.Keys.First(), tensors.Keys.ElementAt(1), tensors.Keys.ElementAt(2));
        tensors.Remove(missing);
        tensors[misshaped] = zeros(2, 3);
        tensors[foreign] = zeros(tensors[foreign].shape, dtype: ScalarType.Int64);
        tensors["zz.first"] = zeros(1);
        tensors["zz.second"] = zeros(4, 5);
        var path = Write(tensors);

        var refused = ZooProcess.Run(["import", "lenet1989", path, "--out", Runs]);
        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("1 missing, 2 not the model's, 2 of another shape, type or value")
            .And.Contain($"'{missing}' ").And.Contain("is missing.").And.Contain($"'{misshaped}' is [2, 3] but must be [")
            .And.Contain($"'{foreign}' is Int64 but must be Float32").And.Contain("'zz.first' [1] is not one of the model's")
            .And.Contain("'zz.second' [4, 5] is not one of the model's"));
        Assert.That(Directory.Exists(Runs), Is.False);
    }

    [Test]
    public void Import_ImportedRun_HasNoTask()
    {
        using var scope = NewDisposeScope();
        var run = Import(Write(Lenet()));
        RequireRefused("it has no task to go on with. `zoo eval --task`, `zoo generate` and `zoo export` take it.", "train", "--resume", run);
        RequireRefused("so its task is not known. Name one with --task, and with --data what it reads: digits, digits-1989", "eval", run);
        var generate = ZooProcess.Run(["generate", run]);
        Assert.That((generate.ExitCode, generate.Error.Trim()), Is.EqualTo((2, "lenet1989 is no model over tokens, so there is nothing to generate.")));
    }

    [Test]
    public void Import_ForeignFiles_AreSentences()
    {
        var pickle = Path.Combine(_folder.FullName, "pytorch_model.bin");
        File.WriteAllBytes(pickle, [0x80, 2, 0x7D, 0x71, 0, 0x2E]);
        var refused = ZooProcess.Run(["import", "lenet1989", pickle]);
        Assert.That(refused.ExitCode, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("reading a pickle can run code").And.Contain("python"));

        using var scope = NewDisposeScope();
        var path = Write(Lenet());
        File.WriteAllText(Path.Combine(_folder.FullName, "config.json"), "[1");
        refused = ZooProcess.Run(["import", "lenet1989", path, "--out", Runs]);
        Assert.That((refused.ExitCode, refused.Error), Is.EqualTo((2, refused.Error)));
        Assert.That(refused.Error, Does.Contain("config.json' is no config: it is not JSON (line 1)"));
    }

    [Test]
    public void Export_WhatCannotBe_IsASentence()
    {
        using var scope = NewDisposeScope();
        var path = Write(Lenet());
        var run = ZooProcess.Run(["import", "lenet1989", path, "--out", Runs, "--json"]).Records.Single()["run"]!.GetValue<string>();
        var refused = ZooProcess.Run(["export", run, path]);
        Assert.That((refused.ExitCode, refused.Error.Trim()),
            Is.EqualTo((2, $"'{path}' exists already; nothing was written. Name another place, or remove it first.")));
        refused = ZooProcess.Run(["export", run, Path.Combine(_folder.FullName, "packed"), "--packed"]);
        Assert.That((refused.ExitCode, refused.Error.Trim()), Is.EqualTo((2, "--packed: lenet1989 has no packed form. Leave it out.")));
        Assert.That(Directory.Exists(Path.Combine(_folder.FullName, "packed")), Is.False);
        var other = Path.Combine(_folder.FullName, "notes.txt");
        File.WriteAllText(other, "{}");
        RequireRefused($"'{other}' is a file whose name does not end in .safetensors; nothing was written.", "export", run, other);
        refused = ZooProcess.Run(["export", _folder.FullName, "x"]);
        Assert.That((refused.ExitCode, refused.Error), Is.EqualTo((2, refused.Error)));
        Assert.That(refused.Error, Does.Contain("is no run folder"));
    }

    [Test]
    public void Eval_ImportedRunOnATask_ScoresAsTheTrainedRun()
    {
        var trained = ZooProcess.Run(["train", "lenet1989", "--steps", "3000", "--out", Runs, "--json", "--quiet"]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var run = trained.Records[^1]["run"]!.GetValue<string>();
        var imported = Import(Export(run, "out"));
        var (own, again) = (ZooProcess.Run(["eval", run, "--json"]), ZooProcess.Run(["eval", imported, "--task", "digits-1989", "--json"]));

        Assert.That(again.Error, Does.Contain("lenet1989, weights from ").And.Contain("digits-1989: generated digits"));
        Assert.That(again.Output, Is.EqualTo(own.Output).And.Contain("test_error_percent"));
        RequireRefused("The samples of the task digits-1989 have one size; leave out --length.", "eval", imported, "--task", "digits-1989", "--length", "4");
        RequireRefused("'task.glyph' is no key of it.", "eval", imported, "--task", "digits", "--set", "task.glyph=4");
        RequireRefused("The task 'mqar' is for a model over tokens", "eval", imported, "--task", "mqar");
        RequireRefused("--task digits: this run was trained on digits-1989 and is scored as it was trained; leave it out.", "eval", run, "--task", "digits");
    }

    [Test]
    public void Eval_ImportedTextModel_ScoresAsTheTrainedRun()
    {
        var trained = ZooProcess.Run(["train", "transformer", "--preset", "tiny", "--steps", "2", "--length", "24", "--out", Runs, "--json", "--quiet"]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var run = trained.Records[^1]["run"]!.GetValue<string>();
        var imported = Import(Export(run, "out"), "transformer");
        var (own, again) = (ZooProcess.Run(["eval", run, "--json"]), ZooProcess.Run(["eval", imported, "--task", "char-lm", "--set", "task.length=24", "--threads", "2", "--json"]));

        Assert.That(again.Output, Is.EqualTo(own.Output).And.Contain("val_loss"));
        Assert.That(again.Error, Does.Contain("Weights do not say what their ids mean: char-lm numbers the characters of this text by their code points."));
        RequireRefused("The task byte-lm has 256 ids, and this transformer knows 52. Name the task that it was trained for.", "eval", imported, "--task", "byte-lm");
        RequireRefused("The task char-lm has sequences of 25 tokens, and this transformer takes 24. Give a shorter --length.", "eval", imported, "--task", "char-lm", "--length", "25");
        RequireRefused("--length 12: this run was trained on char-lm at length 24 and is scored as it was trained; leave it out.", "eval", run, "--length", "12");
    }

    private string Import(string path, string model = "lenet1989")
    {
        var imported = ZooProcess.Run(["import", model, path, "--out", Runs, "--json"]);
        Assert.That(imported.ExitCode, Is.Zero, imported.Error);
        return imported.Records.Single()["run"]!.GetValue<string>();
    }

    private static void RequireRefused(string sentence, params string[] arguments)
    {
        var refused = ZooProcess.Run(arguments);
        Assert.That(refused.ExitCode, Is.EqualTo(2), refused.Error);
        Assert.That(refused.Error, Does.Contain(sentence).And.Not.Contain("   at "));
    }

    private string Runs => Path.Combine(_folder.FullName, "runs");

    private string Export(string run, string name)
    {
        var exported = ZooProcess.Run(["export", run, Path.Combine(_folder.FullName, name)]);
        Assert.That(exported.ExitCode, Is.Zero, exported.Error);
        return Path.Combine(_folder.FullName, name, "model.safetensors");
    }

    private string Write(NamedTensors tensors)
    {
        var path = Path.Combine(_folder.FullName, "lenet.safetensors");
        SafeTensorsWriter.Write(path, tensors);
        return path;
    }

    /// <summary>The tensors of the default preset, with values of their own.</summary>
    private NamedTensors Lenet()
    {
        var run = ZooProcess.Run(["train", "lenet1989", "--steps", "0", "--out", Path.Combine(_folder.FullName, "initial"), "--json", "--quiet"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using var file = SafeTensorsFile.Open(
            Path.Combine(run.Records[^1]["run"]!.GetValue<string>(), "checkpoints", "step-0", "model.safetensors"));
        return file.LoadAll();
    }

    private static void WriteShards(string folder, NamedTensors tensors)
    {
        Directory.CreateDirectory(folder);
        var map = new JsonObject();
        var half = tensors.Count / 2;
        for (var i = 0; i < 2; i++)
        {
            var name = $"model-0000{i + 1}-of-00002.safetensors";
            var part = new NamedTensors(i == 0 ? tensors.Take(half) : tensors.Skip(half));
            SafeTensorsWriter.Write(Path.Combine(folder, name), part);
            foreach (var key in part.Keys)
                map[key] = name;
        }
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private static void RequireSame(string path, NamedTensors expected)
    {
        using var file = SafeTensorsFile.Open(path);
        Assert.That(file.Names, Is.EquivalentTo(expected.Keys));
        foreach (var (name, tensor) in expected)
        {
            var got = file.Load(name);
            Assert.That(got.dtype, Is.EqualTo(tensor.dtype), name);
            Assert.That(got.shape, Is.EqualTo(tensor.shape), name);
            Assert.That(Bytes(got), Is.EqualTo(Bytes(tensor)), name);
        }
    }

    private static byte[] Bytes(Tensor tensor) => tensor.contiguous().bytes.ToArray();
}
