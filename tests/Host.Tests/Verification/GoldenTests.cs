using TorchSharp;
using Zoo.Files;
using Zoo.Host;
using Zoo.Host.Verification;
using Zoo.Kernels;

namespace Zoo.Tests.Verification;

/// <summary>Recorded cases: what is right passes, and what is planted wrong is found and named.</summary>
public sealed class GoldenTests
{
    private DirectoryInfo _folder = null!;
    private DisposeScope _scope = null!;

    [SetUp]
    public void SetUp()
    {
        _folder = Directory.CreateTempSubdirectory("zoo-golden-");
        _scope = torch.NewDisposeScope();
    }

    [TearDown]
    public void TearDown()
    {
        _scope.Dispose();
        _folder.Delete(recursive: true);
    }

    [Test]
    public void Run_RightModel_Passes()
    {
        var result = Run(GoldenTestCase.OfModel(), Fault.None);
        Assert.That(result.Reason, Is.Null);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass));
        Assert.That(result.MaxAbsoluteError, Is.LessThan(1e-6));
        Assert.That(result.Worst, Is.Not.Null);
    }

    [TestCase(nameof(Fault.OutputShape), "out.logits is [1, 2, 3] but must be [2, 3].")]
    [TestCase(nameof(Fault.MissingOutput), "out.logits is not among the outputs.")]
    [TestCase(nameof(Fault.UnreachedParameter), "grad.param._scale was reached by no gradient.")]
    [TestCase(nameof(Fault.DoubledGradient), "grad.param._scale[")]
    [TestCase(nameof(Fault.NotANumber), "out.logits[0, 0] is NaN but must be")]
    [TestCase(nameof(Fault.HiddenSubmodule), "out.logits[")]
    [TestCase(nameof(Fault.ThrowsWhenBuilt), "It threw InvalidOperationException: no such thing")]
    public void Run_PlantedFault_SaysWhatIsWrong(string fault, string reason)
    {
        var result = Run(GoldenTestCase.OfModel(), Enum.Parse<Fault>(fault));
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Contain(reason));
    }

    [TestCase("out.logits")]
    [TestCase("out.loss")]
    [TestCase("grad.in.x")]
    [TestCase("grad.param._second.weight")]
    public void Run_OneStoredElementDiffers_IsNamed(string name)
    {
        var golden = GoldenTestCase.OfModel();
        golden.Tensors[name].view(-1)[0] += 0.01f;
        var result = Run(golden, Fault.None);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(name + "["));
        Assert.That(result.Worst!.Tensor, Is.EqualTo(name));
        Assert.That(result.Worst.Index, Has.All.EqualTo(0));
        Assert.That(result.MaxAbsoluteError, Is.EqualTo(0.01).Within(1e-4));
    }

    [Test]
    public void Run_ParametersDoNotFit_NamesMissingExtraAndMisshaped()
    {
        var golden = GoldenTestCase.OfModel();
        foreach (var prefix in (string[])["param.", "grad.param."])
        {
            golden.Tensors.Remove(prefix + "_first.bias");
            golden.Tensors[prefix + "_third.bias"] = torch.zeros(3);
            golden.Tensors[prefix + "_scale"] = torch.zeros(7);
        }
        var result = Run(golden, Fault.None);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Contain("'_first.bias' [5] is missing").And.Contain("'_third.bias' [3] is not one of the model's")
            .And.Contain("'_scale' is [7] but must be [5]"));
    }

    /// <summary>An architecture that knows the names of several projects takes a case under any of them, gradients with them.</summary>
    [Test]
    public void Run_NamesOfAnotherProject_AreTheModels()
    {
        var golden = GoldenTestCase.OfModel();
        foreach (var prefix in (string[])["param.", "grad.param."])
        {
            golden.Tensors.Remove(prefix + "_second.weight", out var weight);
            golden.Tensors[prefix + "theirs._second.weight"] = weight!.t().contiguous();
        }
        var result = Run(golden, Fault.None);
        Assert.That(result.Reason, Is.Null);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass));
        golden.Tensors["grad.param.theirs._second.weight"] = golden.Tensors["grad.param.theirs._second.weight"] + 1;
        Assert.That(Run(golden, Fault.None).Reason, Does.StartWith("grad.param.theirs._second.weight["));
    }

    [Test]
    public void Run_TwoNamesOfOneParameter_AreNamed()
    {
        var golden = GoldenTestCase.OfModel();
        golden.Tensors["param.theirs._scale"] = golden.Tensors["param._scale"];
        var result = Run(golden, Fault.None);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Match("'(theirs\\.)?_scale' and '(theirs\\.)?_scale' are both its '_scale'"));
    }

    [Test]
    public void Run_ConfigDoesNotFit_NamesTheKey()
    {
        var golden = GoldenTestCase.OfModel();
        golden.Metadata["config"] = """{"hidden_sise": 5}""";
        var result = Run(golden, Fault.None);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Contain("'hidden_sise' is no key of it. Did you mean 'hidden_size'?"));
    }

    [TestCase("{", "its config is not JSON (line 1)")]
    [TestCase("[]", "its config is no JSON object")]
    [TestCase("""{"a": 1, "a": 2}""", "its config has a key twice in one object")]
    [TestCase("""{"\ud800": 1}""", "its config holds text that is not Unicode")]
    public void Open_ConfigThatIsNone_IsASentence(string config, string expected)
    {
        var golden = GoldenTestCase.OfModel();
        golden.Metadata["config"] = config;

        Assert.That(() => Run(golden, Fault.None), Throws.TypeOf<BadFileException>().With.Message.EndsWith($" is no golden case: {expected}."));
    }

    [Test]
    public void Run_InputMissing_IsASentence()
    {
        var golden = GoldenTestCase.OfModel();
        golden.Tensors.Remove("in.x");
        golden.Tensors.Remove("grad.in.x");

        Assert.That(Run(golden, Fault.None).Reason, Does.StartWith("The case lacks an input that tiny-image takes; it has in.y."));
    }

    [Test]
    public void Run_NameThatNothingKnows_IsUnsupported()
    {
        var golden = GoldenTestCase.OfModel();
        golden.Metadata["name"] = "perceptron";
        var result = Run(golden, Fault.None);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Is.EqualTo("No installed plugin has an architecture named 'perceptron'."));
    }

    [Test]
    public void Run_RightOp_Passes()
    {
        var result = Run(GoldenTestCase.OfOp(), new TinyOp());
        Assert.That(result.Reason, Is.Null);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Pass));
        Assert.That(result.Backends, Is.EqualTo(new Dictionary<string, string> { ["tiny_product"] = "reference" }));
    }

    [TestCase(nameof(TinyOpFault.WrongOutput), "out.y[")]
    [TestCase(nameof(TinyOpFault.WrongInteger), "out.x_int8[")]
    [TestCase(nameof(TinyOpFault.WrongGradient), "grad.param._w_[")]
    [TestCase(nameof(TinyOpFault.NoGradient), "grad.param._w_ was reached by no gradient.")]
    public void Run_OpWithPlantedFault_SaysWhatIsWrong(string fault, string reason)
    {
        var result = Run(GoldenTestCase.OfOp(), new TinyOp(Enum.Parse<TinyOpFault>(fault)));
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.StartWith(reason));
    }

    [Test]
    public void Run_CaseUnderAnotherNameWithABarOfItsOwn_IsHeldToBoth()
    {
        var golden = GoldenTestCase.OfOp();
        golden.Metadata["name"] = "tiny_product_recorded";
        Assert.That(Run(golden, new TinyOp()).Status, Is.EqualTo(CheckStatus.Pass));
        Assert.That(Run(golden, new TinyOp(TinyOpFault.WrongOutput)).Status, Is.EqualTo(CheckStatus.Fail));
        golden.Metadata["config"] = golden.Metadata["config"].Replace("}", ", \"most\": 0.001}", StringComparison.Ordinal);
        var result = Run(golden, new TinyOp());
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Does.Match(@"^The sum is [0-9.]+ and may be 0\.001\.$"));
    }

    [Test]
    public void Run_OpMissing_IsUnsupported()
    {
        var result = Run(GoldenTestCase.OfOp(), op: null);
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Is.EqualTo("No installed plugin has an op named 'tiny_product'."));
    }

    [Test]
    public void Run_OpArgumentMissing_IsNamed()
    {
        var golden = GoldenTestCase.OfOp();
        golden.Tensors.Remove("in.x");
        golden.Tensors.Remove("grad.in.x");
        var result = Run(golden, new TinyOp());
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Fail));
        Assert.That(result.Reason, Is.EqualTo("tiny_product needs the argument 'x'."));
    }

    [Test]
    public void Open_SeveralThingsWrong_NamesThemAll()
    {
        var golden = GoldenTestCase.OfModel();
        golden.Metadata.Remove("case");
        golden.Metadata["level"] = "layer";
        golden.Metadata["config"] = "[]";
        golden.Metadata["atol"] = "-1";
        golden.Tensors["weight"] = torch.zeros(1);
        golden.Tensors["probe.other"] = torch.zeros(1);
        golden.Tensors["grad.in.x"] = torch.zeros(1);
        var path = golden.Write(_folder.FullName);
        var error = Assert.Throws<BadFileException>(() => GoldenCase.Open(path))!.Message;
        foreach (var part in (string[])["has no 'case'", "level is 'layer'", "config is no JSON object", "atol is '-1'", "its tensors weight start with none of",
            "it has 'probe.other' and no 'out.other'", "'grad.in.x' is [1] and 'in.x' [2, 1, 4, 4]"])
        {
            Assert.That(error, Does.Contain(part));
        }
    }

    [Test]
    public void Open_GradientsWithoutProbe_IsRefused()
    {
        var golden = GoldenTestCase.OfOp();
        golden.Tensors.Remove("probe.y");
        Assert.That(() => golden.Open(_folder.FullName), Throws.TypeOf<BadFileException>().With.Message.Contains("it has gradients and no probe.*"));
    }

    [Test]
    public void Golden_FolderWithForeignFiles_FailsEachAndRunsTheRest()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "a.safetensors"), "not a tensor in sight");
        SafeTensorsWriter.Write(Path.Combine(_folder.FullName, "b.safetensors"), new NamedTensors { ["w"] = torch.zeros(2) });
        GoldenTestCase.OfOp().Write(_folder.FullName);
        var verifier = new Verifier(new Catalog([], [], OpCatalog.Empty, []), torch.CPU, KernelChoice.Auto);
        var results = GoldenFiles.Named([_folder.FullName]).Select(path => verifier.Golden(path).Run()).ToList();
        var failed = results.Where(r => r.Status == CheckStatus.Fail).ToDictionary(r => r.Case, r => r.Reason);
        Assert.That(failed.Keys, Is.EquivalentTo((string[])["a", "b"]));
        Assert.That(failed["a"], Does.Contain("a.safetensors"));
        Assert.That(failed["b"], Does.Contain("b.safetensors' is no golden case"));
        Assert.That(results.Single(r => r.Case == "tiny-case").Status, Is.EqualTo(CheckStatus.Unsupported));
    }

    [Test]
    public void Everything_PluginWithABrokenCase_FailsThatOneAndRunsTheRest()
    {
        var golden = _folder.CreateSubdirectory("golden").FullName;
        File.WriteAllText(Path.Combine(golden, "broken.safetensors"), "not a tensor in sight");
        GoldenTestCase.OfModel().Write(golden);
        var catalog = new Catalog(
            [new InstalledArchitecture(new TinyImageArchitecture(Fault.None), "Test", "1.0", _folder.FullName)], [], OpCatalog.Empty, []);
        var results = new Verifier(catalog, torch.CPU, KernelChoice.Auto).Everything().Where(c => c.Kind == "golden").Select(c => c.Run()).ToList();
        Assert.That(results.Single(r => r.Status == CheckStatus.Fail).Reason, Does.Contain("broken.safetensors"));
        Assert.That(results.Single(r => r.Status == CheckStatus.Pass).Case, Is.EqualTo("tiny-case"));
    }

    [Test]
    public void Everything_PluginWithOpsAlone_RunsItsCases()
    {
        GoldenTestCase.OfOp().Write(_folder.CreateSubdirectory("golden").FullName);
        var verifier = new Verifier(new Catalog([], [], new OpCatalog([new TinyOp()]), [], pluginFolders: [_folder.FullName]), torch.CPU, KernelChoice.Auto);
        foreach (var checks in (IEnumerable<Check>[])[verifier.Everything(), verifier.OfOp("tiny_product")])
            Assert.That(checks.Single(c => c.Kind == "golden").Run().Status, Is.EqualTo(CheckStatus.Pass));
    }

    [Test]
    public void Of_ModelWhoseOpNobodyAnnounced_SaysSo()
    {
        var installed = new InstalledArchitecture(new TinyImageArchitecture(Fault.None, ops: ["tiny_product"]), "Test", "1.0", _folder.FullName);
        var check = new Verifier(new Catalog([installed], [], OpCatalog.Empty, []), torch.CPU, KernelChoice.Auto).Of("tiny-image").Single(c => c.Case == "tiny_product/installed");
        var result = check.Run();
        Assert.That(result.Status, Is.EqualTo(CheckStatus.Unsupported));
        Assert.That(result.Reason, Does.Contain("says that it uses the op 'tiny_product', and no installed plugin has announced it"));
    }

    [Test]
    public void Named_NothingThere_IsRefused()
    {
        Assert.That(() => GoldenFiles.Named([_folder.FullName]), Throws.TypeOf<BadFileException>().With.Message.Contains("holds no *.safetensors file"));
        Assert.That(() => GoldenFiles.Named([Path.Combine(_folder.FullName, "x.safetensors")]), Throws.TypeOf<BadFileException>());
    }

    [Test]
    public void ToJson_NotANumber_IsNullAndTheLineIsWhole()
    {
        var result = Run(GoldenTestCase.OfModel(), Fault.NotANumber);
        var json = result.ToJson();
        Assert.That(json["max_abs_error"], Is.Null);
        Assert.That(json["worst"]!["got"], Is.Null);
        Assert.That(json.Select(p => p.Key), Is.EqualTo((string[])["case", "kind", "model_or_op", "status", "max_abs_error", "worst", "reason", "backends"]));
        Assert.That(json.ToJsonString(), Does.Contain("\"status\":\"fail\""));
    }

    private CheckResult Run(GoldenTestCase golden, Fault fault) =>
        Run(golden, new Catalog([new InstalledArchitecture(new TinyImageArchitecture(fault), "Test", "1.0", _folder.FullName)], [], OpCatalog.Empty, []));

    private CheckResult Run(GoldenTestCase golden, Op? op) => Run(golden, new Catalog([], [], new OpCatalog(op is null ? [] : [op]), []));

    private CheckResult Run(GoldenTestCase golden, Catalog catalog) =>
        new Verifier(catalog, torch.CPU, KernelChoice.Auto).Golden(golden.Open(_folder.FullName)).Run();
}
