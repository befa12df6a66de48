using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Host.Runs;

namespace Zoo.Tests.Runs;

internal sealed class TensorBoardLogTests
{
    [Test]
    public void Run_ToTheEnd_EventsEqualTheRecords()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        var began = DateTimeOffset.UtcNow;
        runs.Train(path);
        var file = EventFile.In(path).Single();
        var events = EventFile.Read(file);

        Assert.That(events[0].FileVersion, Is.EqualTo("brain.Event:2"));
        Assert.That(events.Select(e => e.WallTime), Is.All.InRange(began.ToUnixTimeMilliseconds() / 1000.0, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0));
        Assert.That(events.Count(e => e.SessionLog is not null), Is.Zero);
        Assert.That(EventFile.Shown([file]), Is.EqualTo(Expected(path)));
        Assert.That(EventFile.Shown([file]).Select(s => s.Tag).Distinct(), Is.SupersetOf(new[] { "train/loss", "train/lr", "eval/test_error_percent", "eval/late_loss" }));
    }

    [Test]
    public void Run_StoppedAndResumed_EachSessionHasAFileAndNoStepIsShownTwice()
    {
        using var runs = new RunFixture();
        var path = runs.Begin();
        Assert.That(() => runs.Train(path, poison: 7), Throws.Exception);   // ends after records that no checkpoint has
        runs.Train(path, interruptAtBatch: 4);
        runs.Train(path);
        var files = EventFile.In(path);

        Assert.That(files, Has.Count.EqualTo(3));
        Assert.That(EventFile.Shown(files), Is.EqualTo(Expected(path)).Using<(long Step, string Tag, float Value)>((a, b) =>
            a.Step == b.Step && a.Tag == b.Tag && (a.Value == b.Value || a.Tag is "train/tokens_per_second" or "train/peak_memory_bytes")));
        Assert.That(files.Skip(1).Select(f => EventFile.Read(f)[1].SessionLog.Status), Is.All.EqualTo(Tensorboard.SessionLog.Types.SessionStatus.Start));
    }

    [Test]
    public void Add_WhileTheFileIsOpen_AnEventIsReadableAtOnceAndATornOneHidesNothing()
    {
        using var runs = new RunFixture();
        using var log = TensorBoardLog.Open(runs.Parent, 0);
        log.Add(new JsonObject { ["event"] = "step", ["step"] = 300_000_000_000, ["loss"] = 0.25, ["lr"] = null });
        var path = EventFile.In(runs.Parent).Single();
        var copy = File.ReadAllBytes(path);
        var torn = Path.Combine(runs.Parent, "torn");
        File.WriteAllBytes(torn, [.. copy, .. copy[..^3]]);

        Assert.That(EventFile.Shown([path]), Is.EqualTo([(300_000_000_000, "train/loss", 0.25f)]));
        Assert.That(EventFile.Read(torn), Has.Count.EqualTo(3));
    }

    [Test]
    public void Add_TwoHundredRecords_TakesMicrosecondsEach()
    {
        using var runs = new RunFixture();
        using var log = TensorBoardLog.Open(runs.Parent, 0);
        var best = double.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            var watch = Stopwatch.StartNew();
            for (var step = 0L; step < 200; step++)
                log.Add(new JsonObject { ["event"] = "step", ["step"] = step, ["loss"] = 0.5, ["lr"] = 0.1, ["tokens_per_second"] = 1e5 });
            best = Math.Min(best, watch.Elapsed.TotalMilliseconds / 200);
        }
        Assert.That(best, Is.LessThan(0.5), "milliseconds an event; measured 0.009");
    }

    private static List<(long Step, string Tag, float Value)> Expected(string path) =>
    [
        .. MetricsLog.Read(Path.Combine(path, "metrics.jsonl")).SelectMany(r =>
        {
            var step = r["step"]!.GetValue<long>();
            return r["metrics"] is JsonObject metrics
                ? metrics.Select(m => (step, "eval/" + m.Key, Number(m.Value!)))
                : new[] { "loss", "lr", "tokens_per_second", "peak_memory_bytes" }.Select(key => (step, "train/" + key, Number(r[key]!)));
        }),
    ];

    private static float Number(JsonNode node) => (float)double.Parse(node.ToString(), CultureInfo.InvariantCulture);
}
