using System.Text.Json.Nodes;
using Zoo.Files;
using static TorchSharp.torch;

namespace Zoo.Tests.Runs;

/// <summary>Packed weights as users meet them: export, import, generate, bench.</summary>
internal sealed class PackedExportTests
{
    private static readonly string[] Sampling = ["--tokens", "24", "--seed", "3", "--json"];

    private DirectoryInfo _folder = null!;

    [SetUp]
    public void SetUp() => _folder = Directory.CreateTempSubdirectory("zoo-packed-");

    [TearDown]
    public void TearDown() => _folder.Delete(recursive: true);

    private string Runs => Path.Combine(_folder.FullName, "runs");

    [Test]
    public void ExportPacked_TrainedRun_ImportsAndGeneratesTheSameText()
    {
        var trained = ZooProcess.Run(["train", "matmulfree", "--task", "selective-copy", "--preset", "tiny", "--steps", "3", "--out", Runs, "--json", "--quiet"]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var run = trained.Records[^1]["run"]!.GetValue<string>();
        var exported = ZooProcess.Run(["export", run, Path.Combine(_folder.FullName, "packed"), "--packed", "--json"]);
        Assert.That(exported.ExitCode, Is.Zero, exported.Error);
        var weights = exported.Records.Single()["path"]!.GetValue<string>();
        using (var file = SafeTensorsFile.Open(weights))
        {
            Assert.That(file.Metadata["zoo.packed"], Is.EqualTo("ternary-2bit"));
            Assert.That(file.Tensors.Single(t => t.Name == "lm_head.weight_codes").Dtype, Is.EqualTo(ScalarType.Byte));
        }

        var imported = ZooProcess.Run(["import", "matmulfree", Path.GetDirectoryName(weights)!, "--out", Runs, "--json"]);
        Assert.That(imported.ExitCode, Is.Zero, imported.Error);
        var packedRun = imported.Records.Single()["run"]!.GetValue<string>();
        var texts = new[]
        {
            Generate(run, "--dtype", "fp32"), Generate(run), Generate(packedRun),
        };
        Assert.That(texts[1], Is.EqualTo(texts[0]), "packed on load");
        Assert.That(texts[2], Is.EqualTo(texts[0]), "exported packed");

        var (own, scored) = (ZooProcess.Run(["eval", run, "--json"]), ZooProcess.Run(["eval", packedRun, "--task", "selective-copy", "--json"]));
        Assert.That(scored.Output, Is.EqualTo(own.Output).And.Contain("accuracy"), scored.Error);

        var again = ZooProcess.Run(["export", packedRun, Path.Combine(_folder.FullName, "again")]);
        Assert.That(again.ExitCode, Is.Zero, again.Error);
        Assert.That(File.ReadAllBytes(Path.Combine(_folder.FullName, "again", "model.safetensors")), Is.EqualTo(File.ReadAllBytes(weights)), "byte for byte");
        var refused = ZooProcess.Run(["generate", packedRun, "--dtype", "fp32"]);
        Assert.That((refused.ExitCode, refused.Error.Trim()), Is.EqualTo((2, $"'{packedRun}' holds weights packed as ternary-2bit, which have no other form here.")));
    }

    [Test]
    public void BenchDecode_PackedUnlessFloat32IsNamed()
    {
        var packed = Bench();
        Assert.That((packed["packed"]?.GetValue<string>(), packed["dtype"]!.GetValue<string>()), Is.EqualTo(("ternary-2bit", "bf16")));
        var plain = Bench("--dtype", "fp32");
        Assert.That((plain["packed"], plain["dtype"]!.GetValue<string>()), Is.EqualTo(((JsonNode?)null, "fp32")));
        Assert.That(packed["params"]!.GetValue<long>(), Is.EqualTo(plain["params"]!.GetValue<long>()));
        Assert.That(plain["weight_bytes"]!.GetValue<long>(), Is.EqualTo(4 * plain["params"]!.GetValue<long>()));
        Assert.That(packed["weight_bytes"]!.GetValue<long>(), Is.LessThan(plain["weight_bytes"]!.GetValue<long>() / 3));

        static JsonNode Bench(params string[] more)
        {
            var result = ZooProcess.Run(["bench", "matmulfree", "--mode", "decode", "--preset", "small", "--length", "4", "--runs", "1", "--warmup", "0", "--json", .. more]);
            Assert.That(result.ExitCode, Is.Zero, result.Error);
            return result.Records.Single();
        }
    }

    private static string Generate(string run, params string[] more)
    {
        var result = ZooProcess.Run(["generate", run, .. Sampling, .. more]);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return string.Join(' ', result.Records.Where(r => r["event"]!.GetValue<string>() == "token").Select(r => r["id"]!.ToJsonString()));
    }
}
