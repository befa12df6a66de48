using Zoo.Host.Runs;
using Zoo.Host.Training;
using Zoo.Training;

namespace Zoo.Tests.Runs;

internal sealed class TrainingRunTests
{
    [Test]
    public void Run_ToTheEnd_RecordsEvaluatesAndKeepsTwoCheckpoints()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        var outcome = runs.Train(path);
        var records = MetricsLog.Read(Path.Combine(path, "metrics.jsonl")).ToList();

        Assert.That((outcome.Steps, outcome.Interrupted), Is.EqualTo((40, false)));
        Assert.That(outcome.Metrics.Select(m => m.Name), Does.Contain("test_error_percent").And.Contains("late_error_percent"));
        Assert.That(records.Where(r => r["event"]!.ToString() == "step").Select(r => RunFixture.Number(r, "step")), Is.EqualTo(Enumerable.Range(1, 40)));
        Assert.That(records.Where(r => r["event"]!.ToString() == "eval").Select(r => RunFixture.Number(r, "step")), Is.EqualTo([7, 14, 21, 28, 35, 40]));
        Assert.That(records.Where(r => r["final"] is null && r["metrics"] is not null).Select(r => r["metrics"]!["late_loss"]), Is.All.Null);
        Assert.That(records[^1]["metrics"]!["late_loss"], Is.Not.Null);
        Assert.That(RunFixture.Checkpoints(path), Is.EqualTo(["step-35", "step-40"]));
    }

    [Test]
    public void Run_InterruptedAgainAndAgain_EqualsTheUninterruptedRunBitForBit(
        [Values(OptimizerKind.Sgd, OptimizerKind.AdamW)] OptimizerKind optimizer)
    {
        using var runs = new RunFixture { Settings = new RunFixture().Settings with { Optimizer = optimizer, Momentum = 0.9 } };
        var straight = runs.Begin();
        runs.Train(straight);
        var stopped = runs.Begin();
        foreach (var batches in new[] { 1, 3, 7, 5, 1, 9 })
        {
            var outcome = runs.Train(stopped, interruptAtBatch: batches);
            Assert.That(outcome.Interrupted, Is.True);
        }
        runs.Train(stopped, interruptAtEvaluation: 1);
        runs.Train(stopped, interruptAtEvaluation: 2);
        var last = runs.Train(stopped);

        Assert.That(last.Interrupted, Is.False);
        Assert.That(RunFixture.Result(stopped).Records, Is.EqualTo(RunFixture.Result(straight).Records));
        Assert.That(RunFixture.Result(stopped).Model, Is.EqualTo(RunFixture.Result(straight).Model));
        Assert.That(RunFixture.Result(stopped).Optimizer, Is.EqualTo(RunFixture.Result(straight).Optimizer));
    }

    [Test]
    public void Run_CrashedAfterACheckpoint_ForgetsLaterRecordsAndEqualsTheUninterruptedRun()
    {
        using var runs = new RunFixture();
        var straight = runs.Begin();
        runs.Train(straight);
        var crashed = runs.Begin();
        Assert.That(() => runs.Train(crashed, poison: 7), Throws.TypeOf<NonFiniteException>());
        File.AppendAllText(Path.Combine(crashed, "metrics.jsonl"), """{"event":"step","step":39,"loss":1}""" + "\n"
            + """{"event":"step","event":"step","step":1}""" + "\n" + """{"event":"step","step":1,"\ud800":1}""" + "\n" + """{"event":"ste""");
        runs.Train(crashed);

        Assert.That(RunFixture.Result(crashed).Records, Is.EqualTo(RunFixture.Result(straight).Records));
        Assert.That(RunFixture.Result(crashed).Model, Is.EqualTo(RunFixture.Result(straight).Model));
    }

    [Test]
    public void Run_NewestCheckpointTruncated_PassesItOverWithASentence()
    {
        using var runs = new RunFixture();
        var straight = runs.Begin();
        runs.Train(straight);
        var damaged = runs.Begin();
        runs.Train(damaged, interruptAtBatch: 23);
        var newest = Path.Combine(RunFolder.CheckpointsOf(damaged), "step-23", Checkpoint.ModelName);
        using (var file = File.OpenWrite(newest))
            file.SetLength(100);
        var notes = new List<string>();
        runs.Train(damaged, notes: notes);

        Assert.That(notes, Has.Count.EqualTo(1));
        Assert.That(notes[0], Does.Contain(newest).And.Contain("100 bytes"));
        Assert.That(RunFixture.Result(damaged).Model, Is.EqualTo(RunFixture.Result(straight).Model));
        Assert.That(RunFixture.Checkpoints(damaged), Is.EqualTo(["step-35", "step-40"]));
    }

    [Test]
    public void Run_FinishedRunAgain_OnlyEvaluates()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        var first = runs.Train(path);
        var before = RunFixture.Result(path);
        var again = runs.Train(path, interruptAtBatch: 1);

        Assert.That(again.Metrics, Is.EqualTo(first.Metrics));
        Assert.That(RunFixture.Result(path).Records, Is.EqualTo(before.Records));
    }

    [Test]
    public void Run_NoSteps_EvaluatesTheInitialModel()
    {
        using var runs = new RunFixture { Settings = new RunFixture().Settings with { Steps = 0 } };
        var path = runs.Begin();
        var outcome = runs.Train(path);

        Assert.That(outcome.Metrics, Is.Not.Empty);
        Assert.That(RunFixture.Checkpoints(path), Is.EqualTo(["step-0"]));
    }

    [Test]
    public void Run_NaN_KeepsTheCheckpointsFromBefore()
    {
        using var runs = new RunFixture { Settings = new RunFixture().Settings with { Shuffle = false } };
        var path = runs.Begin(runs.Record with { CheckpointEvery = 1 });

        Assert.That(() => runs.Train(path, poison: 20), Throws.TypeOf<NonFiniteException>().With.Message.StartsWith("Step 3:"));
        Assert.That(RunFixture.Checkpoints(path), Is.EqualTo(["step-1", "step-2"]));
    }

    [Test]
    public void Run_CheckpointsCannotBeWritten_TrainsOnScoresAndSaysSoAtTheEnd()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        Directory.Delete(RunFolder.CheckpointsOf(path));
        File.WriteAllText(RunFolder.CheckpointsOf(path), "in the way");

        var outcome = runs.Train(path);

        Assert.That(outcome.Unsaved!.Message, Does.StartWith("The checkpoint of step 40 could not be written").And.Contain("--resume"));
        Assert.That(outcome.Metrics, Is.Not.Empty);
        Assert.That(MetricsLog.Read(Path.Combine(path, "metrics.jsonl")).Last()["final"], Is.Not.Null);
    }
}
