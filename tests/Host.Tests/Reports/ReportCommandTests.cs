namespace Zoo.Tests.Reports;

/// <summary>`zoo report` as users run it.</summary>
internal sealed class ReportCommandTests
{
    private RunSketch _sketch = null!;

    [SetUp]
    public void MakeFolder() => _sketch = new RunSketch();

    [TearDown]
    public void RemoveFolder() => _sketch.Dispose();

    [Test]
    public void Report_TrainedRun_WritesThePageWithMisreadDigitsIntoIt()
    {
        var trained = ZooProcess.Run(["train", "lenet1989", "--steps", "300", "--json", "--out", _sketch.Parent]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        var run = trained.Records[^1]["run"]!.ToString();
        var reported = ZooProcess.Run(["report", run, "--json"]);
        Assert.That(reported.ExitCode, Is.Zero, reported.Error);
        var file = reported.Records.Single()["report"]!.ToString();

        Assert.That(file, Is.EqualTo(Path.Combine(run, "report.html")));
        Assert.That(File.ReadAllText(file), Does.Contain("lenet1989 on digits-1989").And.Contain("Confusion matrix of test").And.Contain("the 60 most confident errors of"));
        Assert.That(ZooProcess.Run(["report", run, "--quiet"]).Output, Is.EqualTo($"Report: {file}\n"));
    }

    [Test]
    public void Report_SeveralRuns_GoesWhereOutSays()
    {
        var file = Path.Combine(_sketch.Parent, "both.html");
        var reported = ZooProcess.Run(["report", _sketch.Write("a"), _sketch.Write("b", c => c["seed"] = 9), "--out", file]);
        Assert.That((reported.ExitCode, reported.Output), Is.EqualTo((0, $"Report: {file}\n")), reported.Error);
        Assert.That(File.ReadAllText(file), Does.Contain("seed 3").And.Contain("seed 9"));
    }

    private static IEnumerable<TestCaseData> Wrong()
    {
        yield return Case("no argument", _ => [], "report");
        yield return Case("no such folder", s => [Path.Combine(s.Parent, "none")], "There is no run folder");
        yield return Case("folder of runs", s => [Path.GetDirectoryName(s.Write("a"))!], "It holds 1 run, '");
        yield return Case("no run", s => [Path.Combine(s.Write("a"), "checkpoints")], "it has no config.json");
        yield return Case("malformed", s => [Broken(s.Write("a"))], "line 1");
        yield return Case("no place for it", s => [s.Write("a"), "--out", Path.Combine(s.Parent, "none", "x.html")], "does not exist");
        yield return Case("a folder in its place", s => [s.Write("a"), "--out", s.Parent], "it is a folder");

        static TestCaseData Case(string name, Func<RunSketch, string[]> arguments, string expected) => new TestCaseData(arguments, expected).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Wrong))]
    public void Report_WrongInput_IsASentenceAndExitCode2(Func<RunSketch, string[]> arguments, string expected)
    {
        var reported = ZooProcess.Run(["report", .. arguments(_sketch)]);
        Assert.That(reported.ExitCode, Is.EqualTo(2), reported.Error);
        Assert.That(reported.Error, Does.Contain(expected).And.Not.Contain("   at "));
        Assert.That(Directory.EnumerateFiles(_sketch.Parent, "*.partial", SearchOption.AllDirectories), Is.Empty);
    }

    private static string Broken(string path)
    {
        File.WriteAllText(Path.Combine(path, "metrics.jsonl"), "nothing\nof the kind\n");
        return path;
    }
}
