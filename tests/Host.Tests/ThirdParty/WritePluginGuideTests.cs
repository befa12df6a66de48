using System.IO.Compression;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using TorchSharp;
using Zoo.Host.Plugins;
using Zoo.Kernels;

namespace Zoo.Tests.ThirdParty;

/// <summary>
/// docs/write-a-plugin.md, followed to the letter outside the repository: a third party references one package, drops
/// a DLL and trains a model by its name.
/// </summary>
[TestFixture]
public sealed class WritePluginGuideTests
{
    private static readonly string Document = Path.Combine(Checkout.Root, "docs", "write-a-plugin.md");
    private static readonly string Sample = Path.Combine(Checkout.Root, "samples", "PixelMlp");

    private IReadOnlyList<GuideStep> _steps = [];
    private Workshop? _workshop;
    private GuideRun? _run;

    private Workshop TheWorkshop => _workshop ?? throw new InvalidOperationException("The walk-through was not followed.");

    private string ProjectFolder => Path.Combine(TheWorkshop.Folder, "PixelMlp");

    private string OutputFolder => Path.Combine(ProjectFolder, "bin", "Release", "net10.0");

    [OneTimeSetUp]
    public void FollowTheGuide()
    {
        _steps = Guide.Read(Document);
        if (OperatingSystem.IsWindows())
            Assert.Ignore("The walk-through's commands are for a POSIX shell.");
        _workshop = new Workshop();
        _run = new GuideRun(_steps, _workshop);
    }

    [OneTimeTearDown]
    public void CleanUp() => _workshop?.Dispose();

    [Test]
    public void Commands_TypedInOrder_EndAsTheGuideSays()
    {
        Assert.That(_steps.Count(s => s.Kind == GuideStepKind.Commands), Is.GreaterThan(5), "blocks of commands");
        Assert.That(_run!.Failure, Is.Null);
    }

    [Test]
    public void Output_ShownInTheGuide_IsWhatCommandsPrint()
    {
        RequireFollowed();
        Assert.That(_steps.Count(s => s.Kind == GuideStepKind.Output), Is.GreaterThan(2), "blocks of output");
        Assert.That(_run!.WrongOutput(), Is.Empty);
    }

    [Test]
    public void Sources_InTheGuide_AreTheSamplesFiles()
    {
        var files = Directory.GetFiles(Sample)
            .Where(f => Path.GetExtension(f) is ".cs" or ".csproj" or ".config")
            .ToDictionary(f => Path.GetFileName(f), File.ReadAllText);
        var whole = _steps.Where(s => s is { Kind: GuideStepKind.Source, File: not null }).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(whole.Select(s => s.File), Is.EquivalentTo(files.Keys));
            foreach (var step in whole)
                Assert.That(step.Text, Is.EqualTo(files.GetValueOrDefault(step.File!)), $"{step.File}, at line {step.Line} of the guide");
            foreach (var part in _steps.Where(s => s is { Kind: GuideStepKind.Source, File: null }))
            {
                Assert.That(files.Values.Any(f => f.Contains(part.Text, StringComparison.Ordinal)), Is.True,
                    $"the part at line {part.Line} is in no file");
            }
        });
    }

    [Test]
    public void Project_OfTheSample_IsATargetFrameworkAndOnePackage()
    {
        var project = XDocument.Load(Path.Combine(Sample, "PixelMlp.csproj")).Root!;
        var leaves = project.Descendants().Where(e => !e.HasElements).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(leaves.Select(e => e.Name.LocalName), Is.EqualTo(new[] { "TargetFramework", "PackageReference" }));
            Assert.That(leaves[^1].Attribute("Include")?.Value, Is.EqualTo("Zoo.Contracts"));
            Assert.That(File.ReadAllText(Path.Combine(Checkout.Root, "Zoo.sln")), Does.Not.Contain("PixelMlp"));
        });
    }

    [Test]
    public void Build_OfTheSample_LeavesOnlyThePlugin()
    {
        RequireFollowed();
        var files = Directory.GetFiles(OutputFolder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(OutputFolder, f));
        Assert.That(files, Is.EquivalentTo(new[] { "PixelMlp.dll", "PixelMlp.pdb", "PixelMlp.deps.json" }));
        var listed = JsonNode.Parse(File.ReadAllText(Path.Combine(OutputFolder, "PixelMlp.deps.json")))!["libraries"]!.AsObject();
        Assert.That(listed.Select(l => l.Key), Is.EqualTo(new[] { "PixelMlp/1.0.0" }), "libraries that the plugin brings");
        Assert.That(new FileInfo(Path.Combine(OutputFolder, "PixelMlp.dll")).Length, Is.LessThan(100_000));
    }

    [Test]
    public void Restore_OfTheSample_TakesOnePackageOfOursAndNoLibTorch()
    {
        RequireFollowed();
        var assets = JsonNode.Parse(File.ReadAllText(Path.Combine(ProjectFolder, "obj", "project.assets.json")))!;
        var libraries = assets["libraries"]!.AsObject();
        Assert.Multiple(() =>
        {
            Assert.That(libraries.Select(l => l.Key), Has.None.StartsWith("libtorch"));
            Assert.That(libraries.Select(l => l.Key), Has.Member("TorchSharp/0.107.0"));
            Assert.That(libraries.Select(l => (string)l.Value!["type"]!), Is.All.EqualTo("package"), "no project of the repository");
            Assert.That(assets["logs"], Is.Null, "warnings of the restore");
            Assert.That(assets.ToJsonString(), Does.Not.Contain(Path.Combine(Checkout.Root, "contracts")));
            Assert.That(Directory.Exists(Path.Combine(TheWorkshop.Packages, "zoo.contracts")), Is.True, "the package just packed was used");
        });
    }

    [Test]
    public void Package_OfTheContract_HasWhatAThirdPartyNeeds()
    {
        RequireFollowed();
        var path = Directory.GetFiles(Path.Combine(ProjectFolder, "packages"), "*.nupkg").Single();
        Assert.That(Path.GetFileName(path), Is.EqualTo("Zoo.Contracts.0.1.0.nupkg"));
        using var package = ZipFile.OpenRead(path);
        var content = package.Entries.Select(e => e.FullName)
            .Where(n => n.StartsWith("build", StringComparison.Ordinal) || n.StartsWith("lib", StringComparison.Ordinal));
        var buildFiles = new[] { "Zoo.Contracts.props", "Zoo.Contracts.targets", "Zoo.Contracts.Versions.props" };
        Assert.That(content, Is.EquivalentTo(buildFiles.Select(f => "build/" + f).Concat(buildFiles.Select(f => "buildTransitive/" + f))
            .Append("lib/net10.0/Zoo.Contracts.dll").Append("lib/net10.0/Zoo.Contracts.xml")));

        var metadata = Xml(package, "Zoo.Contracts.nuspec").Elements().Single();
        var ns = metadata.Name.Namespace;
        var dependencies = metadata.Descendants(ns + "dependency")
            .ToDictionary(d => d.Attribute("id")!.Value, d => d.Attribute("version")!.Value);
        var versions = Xml(package, "build/Zoo.Contracts.Versions.props").Descendants()
            .Where(e => !e.HasElements).Select(e => $"{e.Name.LocalName} {e.Value}");
        Assert.Multiple(() =>
        {
            Assert.That(package.GetEntry("README.md"), Is.Not.Null);
            Assert.That(metadata.Element(ns + "readme")?.Value, Is.EqualTo("README.md"));
            Assert.That(metadata.Element(ns + "license")?.Value, Is.EqualTo("Apache-2.0"));
            Assert.That(dependencies["TorchSharp"], Is.EqualTo("[0.107.0]"));
            Assert.That(dependencies.Keys, Is.EquivalentTo(new[]
            {
                "TorchSharp", "SkiaSharp", "SharpZipLib",
                "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
            }));
            Assert.That(versions, Is.EquivalentTo(new[] { "ZooContractVersion 0.1.0", "ZooTorchSharpVersion 0.107.0" }));
        });
    }

    [Test]
    public void Train_TheSampleByName_LearnsItsTask()
    {
        RequireFollowed();
        const double chance = 75;
        var metrics = Evaluated();
        Assert.Multiple(() =>
        {
            Assert.That(metrics.Keys, Has.Member("test_error_percent"));
            Assert.That(metrics["test_error_percent"], Is.LessThan(chance / 3));
        });
    }

    [Test]
    public void Op_OfTheSample_KernelEqualsItsDefinition()
    {
        RequireFollowed();
        const double measured = 1.6e-7;   // of outputs up to 1.72 and gradients up to 0.86: an ulp
        using var plugins = PluginCatalog.Load(new PluginSearch([new PluginFolder(Path.Combine(ProjectFolder, "plugins"), IsNamed: true)]));
        var op = plugins.Ops.Get("pixelmlp_scaled_tanh");
        using var scope = torch.NewDisposeScope();
        var x = torch.linspace(-9, 9, 7 * 131).reshape(7, 131);

        var (y, gradient) = Differentiate(op, x, KernelChoice.Cpu);
        var (expected, expectedGradient) = Differentiate(op, x, KernelChoice.Reference);

        Assert.Multiple(() =>
        {
            Assert.That((y - expected).abs().max().item<float>(), Is.LessThan(2 * measured), "output");
            Assert.That((gradient - expectedGradient).abs().max().item<float>(), Is.LessThan(2 * measured), "gradient");
            Assert.That(expectedGradient.abs().max().item<float>(), Is.GreaterThan(0.5));
        });
    }

    private static (torch.Tensor Y, torch.Tensor Gradient) Differentiate(Op op, torch.Tensor values, string backend)
    {
        var x = values.clone().requires_grad_();
        var result = op.Invoke(new NamedTensors { ["x"] = x }, OpOptions.None, KernelChoice.Parse(backend));
        Assert.That(result.Backend, Is.EqualTo(backend));
        Gradients.Backward((result.Outputs["y"] * torch.linspace(0.5, 1, values.numel()).reshape(values.shape)).sum());
        return (result.Outputs["y"].detach(), x.grad!);
    }

    private void RequireFollowed()
    {
        if (_run!.Failure is not null)
            Assert.Inconclusive("The walk-through failed, as another test of this fixture says, so there is nothing to look at.");
    }

    private Dictionary<string, double> Evaluated()
    {
        var step = _steps.Last(s => s.Kind == GuideStepKind.Commands && s.Text.Contains("zoo eval", StringComparison.Ordinal));
        return _run!.Printed(step.Line).Split('\n')
            .Where(line => line.StartsWith('{'))
            .Select(line => JsonNode.Parse(line)!)
            .ToDictionary(m => (string)m["metric"]!, m => (double)m["value"]!);
    }

    private static XElement Xml(ZipArchive package, string entry)
    {
        using var stream = package.GetEntry(entry)!.Open();
        return XDocument.Load(stream).Root!;
    }
}
