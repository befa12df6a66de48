using Zoo.Files;

namespace Zoo.Tests.Verification;

/// <summary>`zoo verify`, `zoo show` and `zoo doctor` as users run them.</summary>
public sealed class VerifyCommandTests
{
    private static readonly string[] ResultKeys = ["case", "kind", "model_or_op", "status", "max_abs_error", "worst", "reason", "backends"];
    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-verify-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    [Test]
    public void Verify_Everything_PassesWithGoldenCasesAndProperties()
    {
        var outcome = ZooProcess.Run(["verify", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records, Has.All.Matches<System.Text.Json.Nodes.JsonObject>(r => r!.Select(p => p.Key).SequenceEqual(ResultKeys)));
        Assert.That(outcome.Records.Select(r => (string)r["kind"]!).Distinct(), Is.EquivalentTo((string[])["golden", "property"]));
        Assert.That(outcome.Records.Select(r => (string)r["status"]!), Has.None.EqualTo("fail"));
        Assert.That(outcome.Records.Select(r => (string)r["case"]!), Does.Contain("lenet1989-init").And.Contain("lenet1989/default/gradient-float64"));
        Assert.That(outcome.Error, Does.Contain("0 failed"));
    }

    [Test]
    public void Verify_Alias_IsAskedOfItsPresetAlone()
    {
        var outcome = ZooProcess.Run(["verify", "lenet1989-modern", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        var cases = outcome.Records.Select(r => (string)r["case"]!).ToList();
        Assert.That(cases, Does.Contain("lenet1989-modern-init").And.Contain("lenet1989/modern/builds"));
        Assert.That(cases, Does.Not.Contain("lenet1989-init").And.Not.Contain("lenet1989/default/builds"));
    }

    [Test]
    public void Verify_Op_RunsItsCasesAndPropertiesAlone()
    {
        var outcome = ZooProcess.Run(["verify", "--op", "lenet1989_prepare", "--op", "rope", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Records.Select(r => (string)r["model_or_op"]!).Distinct(), Is.EquivalentTo((string[])["lenet1989_prepare", "rope"]));
        Assert.That(outcome.Records.Select(r => (string)r["case"]!), Does.Contain("rope/equals-float64").And.Contain("rope/partial-gradients"));
        Assert.That(outcome.Records.Select(r => (string)r["kind"]!), Does.Contain("golden"));

        var refused = ZooProcess.Run(["verify", "--op", "rop"]);
        Assert.That((refused.ExitCode, refused.Error.TrimEnd()), Is.EqualTo((2, "No installed plugin has an op named 'rop'. Did you mean 'rope'?")));
    }

    [Test]
    public void Verify_Golden_RunsTheseAloneAndAFailureIsExitCode1()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var original = Path.Combine(ZooProcess.Folder, "plugins", "LeNet", "golden", "lenet1989-init.safetensors");
        using var file = SafeTensorsFile.Open(original);
        var tensors = file.LoadAll();
        tensors["out.logits"] = tensors["out.logits"] + 0.1f;
        var changed = Path.Combine(_folder.FullName, "changed.safetensors");
        SafeTensorsWriter.Write(changed, tensors, file.Metadata);

        var outcome = ZooProcess.Run(["verify", "--golden", changed, "--json"]);
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        var record = outcome.Records.Single();
        Assert.That((string?)record["status"], Is.EqualTo("fail"));
        Assert.That((string?)record["reason"], Does.StartWith("out.logits["));
        Assert.That((string?)record["worst"]!["tensor"], Is.EqualTo("out.logits"));
        Assert.That((double?)record["max_abs_error"], Is.EqualTo(0.1).Within(1e-5));

        var forPeople = ZooProcess.Run(["verify", "--golden", changed]);
        Assert.That(forPeople.ExitCode, Is.EqualTo(1));
        Assert.That(forPeople.Output, Does.Contain("FAIL").And.Contain("out.logits[").And.Contain("1 check in"));
    }

    [Test]
    public void Verify_TwoFilesWithOneCaseId_RunsBothAndSaysSo()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var original = Path.Combine(ZooProcess.Folder, "plugins", "LeNet", "golden", "lenet1989-init.safetensors");
        using var file = SafeTensorsFile.Open(original);
        var tensors = file.LoadAll();
        tensors["out.logits"] = tensors["out.logits"] + 0.1f;
        SafeTensorsWriter.Write(Path.Combine(_folder.FullName, "b.safetensors"), tensors, file.Metadata);
        File.Copy(original, Path.Combine(_folder.FullName, "a.safetensors"));
        File.Copy(original, Path.Combine(_folder.FullName, "c.safetensors"));      // the same once more

        var outcome = ZooProcess.Run(["verify", "--golden", _folder.FullName, "--json"]);
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Records.Select(r => (string)r["status"]!), Is.EqualTo((string[])["pass", "fail"]));
        Assert.That(outcome.Error, Does.Contain("Different files hold a case 'lenet1989-init'; each is run."));
    }

    [Test]
    public void Verify_CaseOfAnUnknownName_IsUnsupportedAndStrictFails()
    {
        var path = Unknown();
        var outcome = ZooProcess.Run(["verify", "--golden", path, "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That((string?)outcome.Records.Single()["status"], Is.EqualTo("unsupported"));
        Assert.That(ZooProcess.Run(["verify", "--golden", path, "--strict"]).ExitCode, Is.EqualTo(1));
    }

    [Test]
    public void Verify_UnknownModel_IsExitCode2WithTheNearestName()
    {
        var outcome = ZooProcess.Run(["verify", "lenet1998"]);
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(outcome.Error, Does.Contain("No architecture is named 'lenet1998'. Did you mean 'lenet1989'?"));
        Assert.That(outcome.Output, Is.Empty);
    }

    [Test]
    public void Verify_ForeignGoldenFile_IsExitCode2WithOneSentence()
    {
        var path = Path.Combine(_folder.FullName, "notes.safetensors");
        File.WriteAllText(path, "These are my notes, not a tensor.");
        var outcome = ZooProcess.Run(["verify", "--golden", path]);
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(outcome.Error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("notes.safetensors"));
    }

    [TestCase("--device", "tpu", 2, "--device tpu: it must be cpu, cuda or cuda:n.")]
    [TestCase("--kernels", "gpu", 2, "there is no backend 'gpu'")]
    [TestCase("--kernels", "no_such_op=cpu", 2, "no installed plugin has an op named 'no_such_op'")]
    [TestCase("--golden", "nowhere.safetensors", 2, "nowhere.safetensors")]
    public void Verify_BadOption_SaysWhatIsWrong(string option, string value, int exitCode, string sentence)
    {
        var outcome = ZooProcess.Run(["verify", option, value]);
        Assert.That(outcome.ExitCode, Is.EqualTo(exitCode), outcome.Error);
        Assert.That(outcome.Error, Does.Contain(sentence));
    }

    [Test]
    public void Show_Json_HasEverythingOnOneLine()
    {
        var outcome = ZooProcess.Run(["show", "lenet1989", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        var record = outcome.Records.Single();
        Assert.That((long?)record["parameters"], Is.EqualTo(9760));
        Assert.That((string?)record["model"], Is.EqualTo("lenet1989"));
        Assert.That((string?)record["kind"], Is.EqualTo("image-classifier"));
        Assert.That((string?)record["preset"], Is.EqualTo("default"));
        Assert.That(record["tensors"]!["H1w"]!.ToJsonString(), Is.EqualTo("[12,1,5,5]"));
        Assert.That(record["presets"]!.AsArray().Select(p => (string)p!), Does.Contain("modern"));
        foreach (var key in (string[])["title", "paper", "plugin", "version", "aliases", "config", "defaults", "tasks", "ops", "limits"])
            Assert.That(record.ContainsKey(key), key);
    }

    [Test]
    public void Show_Op_SaysWhatItTakesAndGives()
    {
        var outcome = ZooProcess.Run(["show", "--op", "cross_entropy"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Output, Does.Contain("hidden [L, D]").And.Contain("targets [L] (Int64, no gradient)").And.Contain("bias [E] (optional)")
            .And.Contain("cpu, cuda, reference").And.Contain("--shape L=…,D=…,E=…"));

        var record = ZooProcess.Run(["show", "--op", "lenet1989_net", "--json"]).Records.Single();
        Assert.That((string?)record["plugin"], Does.StartWith("LeNet "));
        foreach (var key in (string[])["op", "title", "arguments", "options", "outputs", "backends", "baselines", "cases"])
            Assert.That(record.ContainsKey(key), key);
    }

    [Test]
    public void Show_AliasAndSet_ShowsValuesBesideTheDefaults()
    {
        var outcome = ZooProcess.Run(["show", "lenet1989-modern", "--set", "dropout=0.5"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        Assert.That(outcome.Output, Does.Contain("9,760").And.Contain("preset modern").And.Match(@"dropout\s+0\.5\s+0\s"));
    }

    [TestCase("Did you mean 'modern'?", "lenet1989", "--preset", "modren")]
    [TestCase("'dropuot' is no key of it. Did you mean 'dropout'?", "lenet1989", "--set", "dropuot=0.5")]
    [TestCase("Did you mean 'lenet1989'?", "lenet1998")]
    [TestCase("Say what to show")]
    [TestCase("Say what to show", "lenet1989", "--op", "rope")]
    [TestCase("--preset: rope is an op; it is shown as it is.", "--op", "rope", "--preset", "default")]
    public void Show_BadInput_IsExitCode2(string sentence, params string[] arguments)
    {
        var outcome = ZooProcess.Run(["show", .. arguments]);
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(outcome.Error, Does.Contain(sentence));
    }

    [Test]
    public void Doctor_HealthyMachine_NamesEveryPart()
    {
        var outcome = ZooProcess.Run(["doctor", "--json"]);
        Assert.That(outcome.ExitCode, Is.Zero, outcome.Error);
        foreach (var part in (string[])["zoo", ".NET", "libtorch", "TorchSharp", "processor", "vectors", "CUDA driver", "NVRTC", "CUDA cache", "memory", "disk", "plugins"])
            Assert.That(outcome.Records.Select(r => (string)r["part"]!), Does.Contain(part));
        Assert.That(outcome.Records.Select(r => (string)r["status"]!).Distinct(), Is.SubsetOf((string[])["ok", "hint", "missing"]));
        Assert.That((string?)outcome.Records.Single(r => (string?)r["part"] == "libtorch")["status"], Is.EqualTo("ok"));
    }

    [Test]
    public void Doctor_LibTorchMissing_IsExitCode3AndStillTellsTheRest()
    {
        var environment = new Dictionary<string, string?> { ["ZOO_LIBTORCH"] = _folder.FullName };
        var outcome = ZooProcess.Run(["doctor"], environment: environment);
        Assert.That(outcome.ExitCode, Is.EqualTo(3));
        Assert.That(outcome.Output, Does.Contain("missing  libtorch").And.Contain("memory"));
        Assert.That(outcome.Error, Does.Contain("Zoo cannot work here: libtorch is missing."));
        Assert.That(ZooProcess.Run(["verify"], environment: environment).ExitCode, Is.EqualTo(3));
    }

    [Test]
    public void Doctor_PluginFolderMissing_IsExitCode2AndStillTellsTheRest()
    {
        var missing = Path.Combine(_folder.FullName, "nowhere");
        var outcome = ZooProcess.Run(["doctor", "--plugins", missing]);
        Assert.That(outcome.ExitCode, Is.EqualTo(2));
        Assert.That(outcome.Output, Does.Contain("missing  plugins").And.Contain("memory"));
        Assert.That(outcome.Error.Trim(), Does.EndWith($"--plugins {missing}: there is no such folder."));
    }

    private string Unknown()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var golden = GoldenTestCase.OfOp();
        golden.Metadata["name"] = "an_op_of_the_future";
        return golden.Write(_folder.FullName);
    }
}
