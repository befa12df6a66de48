namespace Zoo.Tests.Tasks;

/// <summary>`zoo show MODEL`.</summary>
public sealed class ShowModelTests
{
    [Test]
    public void Show_ArchitectureThatReckonsMemory_SaysItBesideATransformers()
    {
        var outcome = ZooProcess.Run(["show", "matmulfree", "--preset", "1.3b"]);
        Assert.That((outcome.ExitCode, outcome.Error), Is.EqualTo((0, "")));
        Assert.That(outcome.Output, Does.Contain("memory      training: 30.112 GB; a Transformer of that size 30.112 GB ("));
        Assert.That(outcome.Output, Does.Contain("inference: 0.458 GB; a Transformer of that size 3.132 GB ("));
    }

    [Test]
    public void Show_MemoryAsJson_IsInBytes()
    {
        var record = ZooProcess.Run(["show", "matmulfree", "--preset", "370m", "--json"]).Records.Single();
        var inference = record["memory"]!.AsArray().Single(m => m!["use"]!.GetValue<string>() == "inference")!;
        Assert.That(inference["bytes"]!.GetValue<long>(), Is.GreaterThan(100_000_000).And.LessThan(inference["transformer_bytes"]!.GetValue<long>()));
        Assert.That(ZooProcess.Run(["show", "mamba", "--json"]).Records.Single()["memory"]!.AsArray(), Is.Empty);
    }
}
