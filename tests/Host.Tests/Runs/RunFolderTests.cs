using Zoo.Files;
using Zoo.Host.Runs;

namespace Zoo.Tests.Runs;

internal sealed class RunFolderTests
{
    [Test]
    public void Create_TwiceInASecond_GivesTwoFolders()
    {
        using var runs = new RunFixture();

        Assert.That(Path.GetFileName(runs.Begin()), Is.EqualTo("20260304-050607-tiny-dots"));
        Assert.That(Path.GetFileName(runs.Begin()), Is.EqualTo("20260304-050607-tiny-dots-2"));
        Assert.That(Directory.EnumerateFileSystemEntries(runs.Parent).Count(), Is.EqualTo(2), "nothing is left aside");
    }

    [Test]
    public void Create_ParentIsAFile_SaysThatNothingWasDone()
    {
        using var runs = new RunFixture();
        var file = Path.Combine(runs.Parent, "file");
        File.WriteAllText(file, "");

        Assert.That(() => RunFolder.Create(Path.Combine(file, "runs"), runs.Record, RunEnvironment.Capture("cpu", 1, "auto")),
            Throws.TypeOf<UserException>().With.Message.StartsWith($"--out {file}").And.Message.Contains("Nothing was done"));
    }

    [Test]
    public void Read_WrittenRecord_IsTheSame()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        var read = RunRecord.Read(Path.Combine(path, RunFolder.ConfigName));

        Assert.That(read.Training.ToJsonString(), Is.EqualTo(runs.Record.Training.ToJsonString()));
        Assert.That((read.Model, read.Task, read.Seed, read.Steps, read.CheckpointEvery, read.Started, read.DataPath),
            Is.EqualTo(("tiny", "dots", 3, 40L, (long?)5L, runs.Record.Started, (string?)null)));
    }

    [TestCase("", "is not the config of a run: it is empty.")]
    [TestCase("{}", "is not the config of a run: it lacks 'model', 'preset', ")]
    [TestCase("{\n\"model\": \"tiny\",\n", "is not the config of a run: it is not JSON from line 3 on.")]
    [TestCase("[1]", "is not the config of a run")]
    [TestCase("null", "holds null")]
    [TestCase("""{"model": 5}""", "is not the config of a run: the value of 'model' is none that it can have (line 1).")]
    [TestCase("""{"model": "a", "model": "b"}""", "is not the config of a run: it has a key twice in one object.")]
    [TestCase("""{"config": {"\ud800": 1}}""", "is not the config of a run: it holds text that is not Unicode.")]
    [TestCase("""{"data": "\ud800"}""", "is not the config of a run: it holds text that is not Unicode.")]
    public void Read_ForeignConfig_IsASentence(string content, string expected)
    {
        using var runs = new RunFixture();
        var path = Path.Combine(runs.Parent, RunFolder.ConfigName);
        File.WriteAllText(path, content);

        Assert.That(() => RunRecord.Read(path), Throws.TypeOf<BadFileException>().With.Message.Contains(expected).And.Message.Contains(path));
    }

    [Test]
    public void Read_NewerFormatOrValuesOutOfRange_AreSentences()
    {
        using var runs = new RunFixture();
        var newer = Path.Combine(runs.Begin(runs.Record with { Format = 7 }), RunFolder.ConfigName);
        var wrong = Path.Combine(runs.Begin(runs.Record with { Threads = 0 }), RunFolder.ConfigName);

        Assert.That(() => RunRecord.Read(newer), Throws.TypeOf<BadFileException>().With.Message.Contains("format 7"));
        Assert.That(() => RunRecord.Read(wrong), Throws.TypeOf<BadFileException>().With.Message.Contains("out of range"));
    }

    /// <summary>As many threads as the file says are started, and a word of the file is no option that somebody typed.</summary>
    [Test]
    public void Read_ValuesThatNoTrainingHas_AreBlamedOnTheFile()
    {
        using var runs = new RunFixture();
        foreach (var (record, expected) in new[]
        {
            (runs.Record with { Threads = 100_000_000 }, "steps, threads, keep or an interval is out of range."), (runs.Record with { Device = "gpu" }, "its device is 'gpu'."),
            (runs.Record with { Dtype = "fp8" }, "its dtype is 'fp8'."), (runs.Record with { Kernels = "fast" }, "its kernels is 'fast'."),
        })
        {
            var path = Path.Combine(runs.Begin(record), RunFolder.ConfigName);
            Assert.That(() => RunRecord.Read(path), Throws.TypeOf<BadFileException>().With.Message.EqualTo($"'{path}' is not the config of a run: {expected}"));
        }
    }

    [Test]
    public void Newest_SeveralRuns_IsTheOneThatBeganLastAndFits()
    {
        using var runs = new RunFixture();
        var later = runs.Record with { Started = runs.Record.Started.AddHours(1) };
        runs.Begin();
        var wanted = runs.Begin(later);
        runs.Begin(later with { Task = "other", Started = later.Started.AddHours(1) });
        Directory.CreateDirectory(Path.Combine(runs.Parent, "zz"));
        File.WriteAllText(Path.Combine(runs.Parent, "zz", RunFolder.ConfigName), "{}");

        Assert.That(RunFolder.Newest(runs.Parent, r => r.Task == "dots")!.Value.Path, Is.EqualTo(wanted));
        Assert.That(RunFolder.Newest(runs.Parent, r => r.Task == "none"), Is.Null);
        Assert.That(RunFolder.Newest(Path.Combine(runs.Parent, "nowhere"), _ => true), Is.Null);
    }

    [Test]
    public void Open_FolderInUse_IsRefusedUntilItIsFree()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        using (RunFolder.Open(path))
            Assert.That(() => RunFolder.Open(path), Throws.TypeOf<UserException>().With.Message.EqualTo(
                $"The run folder '{path}' is in use: another process trains in it. Let it end, or stop it, first."));
        using var free = RunFolder.Open(path);

        Assert.That(free.Path, Is.EqualTo(path));
    }

    [Test]
    public void Open_NoRunFolder_IsASentence()
    {
        using var runs = new RunFixture();

        Assert.That(() => RunFolder.Open(runs.Parent), Throws.TypeOf<UserException>().With.Message.Contains("no run folder"));
        Assert.That(() => RunFolder.Open(Path.Combine(runs.Parent, "x")), Throws.TypeOf<UserException>().With.Message.Contains("There is no run folder"));
    }
}
