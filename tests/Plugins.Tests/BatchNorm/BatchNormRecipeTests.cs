using Zoo.LeNet.Recipes;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Tests.LeNet;

/// <summary>
/// What the recipe asks for, and what it makes of histories that are given: the runs themselves belong to `zoo reproduce`.
/// </summary>
public sealed class BatchNormRecipeTests
{
    [Test]
    public void Run_AnyScale_AsksForEveryArmAndSeedWithoutSharingSettings([Values] RecipeScale scale,
        [Values(null, "data/mnist")] string? data)
    {
        var context = new Context(AsInThePilot) { Scale = scale, DataPath = data, Seeds = [4, 5] };
        new BatchNormRecipe().Run(context);
        Assert.That(context.Specs, Has.Count.EqualTo(12));
        Assert.That(context.Specs.Select(s => (s.Label, s.Seed)), Is.Unique);
        Assert.That(context.Specs.Select(s => (string.Join(' ', s.Sets), s.Seed)), Is.Unique);
        Assert.That(context.Specs.Select(s => s.Steps), Is.All.EqualTo(scale == RecipeScale.Full ? 50_000 : 3_000));
        Assert.That(context.Specs.Select(s => s.DataPath), Is.All.EqualTo(data));
        Assert.That(context.Specs.Select(s => s.Task), Is.All.EqualTo("digits"));
        Assert.That(context.Specs.Single(s => s is { Label: "bn-x30", Seed: 4 }).Sets,
            Does.Contain("batch_norm=true").And.Contain("train.lr=15"));
        Assert.That(context.Specs.Single(s => s is { Label: "plain-x5", Seed: 5 }).Sets,
            Does.Contain("batch_norm=false").And.Contain("train.lr=2.5"));
    }

    [Test]
    public void Run_AsInThePilot_EveryRowIsScaledEvidence()
    {
        var rows = Rows(AsInThePilot);
        Assert.That(rows.Keys, Is.EqualTo((string[])["plain-x1", "bn-x1", "bn-x5", "bn-x30", "plain-x5", "plain-x30"]));
        Assert.That(rows.Values.Select(r => r.Verdict), Is.All.EqualTo(RecipeVerdict.ScaledEvidence));
        Assert.That(rows.Values.Select(r => r.Metric), Is.All.EqualTo("steps_to_target"));
        Assert.That(rows["bn-x1"].Ours, Is.EqualTo((double[])[350, 350, 350]));
        Assert.That(rows["bn-x1"].Paper, Is.EqualTo(13.3e6));
        Assert.That(rows["plain-x30"].Ours, Is.Empty);
        Assert.That(rows["plain-x30"].Reason,
            Does.StartWith("0 of 3 seeds reached the target in 3,000 steps; best error 89.0, 89.0, 89.0 %."));
    }

    [Test]
    public void Run_NormalisedNeedsMoreThanHalf_IsNotReproduced()
    {
        var rows = Rows((arm, seed) => arm == "bn-x1" ? 550 : AsInThePilot(arm, seed));
        Assert.That(rows["bn-x1"].Verdict, Is.EqualTo(RecipeVerdict.NotReproduced));
        Assert.That(rows["bn-x5"].Verdict, Is.EqualTo(RecipeVerdict.ScaledEvidence));
    }

    [Test]
    public void Run_OneSeedOfThePlainNetTrainsAtX30_NeitherX30RowHolds()
    {
        var rows = Rows((arm, seed) => (arm, seed) == ("plain-x30", 2) ? 2_000 : AsInThePilot(arm, seed));
        Assert.That(rows["plain-x30"].Verdict, Is.EqualTo(RecipeVerdict.NotReproduced));
        Assert.That(rows["bn-x30"].Verdict, Is.EqualTo(RecipeVerdict.NotReproduced));
        Assert.That(rows["plain-x30"].Reason, Does.StartWith("1 of 3 seeds"));
    }

    [Test]
    public void Run_PlainNetNeverReachesTheTarget_HalfOfNothingIsNoEvidence()
    {
        var rows = Rows((arm, seed) => arm == "plain-x1" ? null : AsInThePilot(arm, seed));
        Assert.That(rows["plain-x1"].Verdict, Is.EqualTo(RecipeVerdict.NotReproduced));
        Assert.That(rows["bn-x1"].Verdict, Is.EqualTo(RecipeVerdict.NotReproduced));
    }

    [Test]
    public void Run_TargetReachedAtTheVeryEnd_Counts()
    {
        var rows = Rows((arm, seed) => arm == "plain-x1" ? 3_000 : AsInThePilot(arm, seed));
        Assert.That(rows["plain-x1"].Ours, Is.EqualTo((double[])[3_000, 3_000, 3_000]));
    }

    [Test]
    public void Run_ARunFails_RowsThatNeedItSayWhyAndOthersStay()
    {
        var context = new Context(AsInThePilot) { Seeds = [1, 2, 3], Fails = "plain-x30" };
        new BatchNormRecipe().Run(context);
        var rows = context.Rows.ToDictionary(r => r.Row);
        foreach (var row in new[] { "plain-x30", "bn-x30" })
        {
            Assert.That(rows[row].Verdict, Is.EqualTo(RecipeVerdict.NotAttempted));
            Assert.That(rows[row].Reason,
                Does.StartWith("plain-x30 with seed 1 ended in an error, so there is nothing to compare: planted"));
        }
        Assert.That(rows["bn-x1"].Verdict, Is.EqualTo(RecipeVerdict.ScaledEvidence));
    }

    [Test]
    public void Run_Always_AttachesAccuracyAndTargetPlots()
    {
        var context = new Context(AsInThePilot) { Seeds = [1, 2, 3] };
        new BatchNormRecipe().Run(context);
        var plots = context.Items.OfType<PlotItem>().ToList();
        Assert.That(plots[0].Curves, Has.Count.EqualTo(18));
        Assert.That(plots[0].Curves.Select(c => c.Group).Distinct().Count(), Is.EqualTo(6));
        Assert.That(plots[0].Curves[0].Y[^1], Is.EqualTo(95));
        var byTarget = plots[1].Curves.ToDictionary(c => c.Name);
        Assert.That(byTarget["plain-x1"].Y[byTarget["plain-x1"].X.ToList().IndexOf(90)], Is.EqualTo(1_000));
        Assert.That(byTarget["plain-x30"].Y, Is.All.NaN);
        foreach (var curve in plots.SelectMany(p => p.Curves))
        {
            Assert.That(curve.X, Is.Ordered.Ascending);
            Assert.That(curve.Y, Has.Count.EqualTo(curve.X.Count));
        }
    }

    private static long? AsInThePilot(string arm, int seed) => arm switch
    {
        "plain-x1" => 1_000,
        "bn-x1" => 350,
        "bn-x5" => 300,
        "bn-x30" => 400,
        "plain-x5" => 600,
        _ => null,
    };

    private static Dictionary<string, RecipeRow> Rows(Func<string, int, long?> stepsToTarget)
    {
        var context = new Context(stepsToTarget) { Seeds = [1, 2, 3] };
        new BatchNormRecipe().Run(context);
        return context.Rows.ToDictionary(r => r.Row);
    }

    /// <summary>Gives every run a history that falls from 89 % error to 5 % at the step that the test names.</summary>
    private sealed class Context(Func<string, int, long?> stepsToTarget) : RecordingContext
    {
        public string? Fails { get; init; }

        public List<RunSpec> Specs { get; } = [];

        public override IReadOnlyList<RunResult> Train(IReadOnlyList<RunSpec> specs)
        {
            Specs.AddRange(specs);
            return [.. specs.Select(Result)];
        }

        private RunResult Result(RunSpec spec)
        {
            if (spec.Label == Fails)
                return new RunResult(spec) { Failure = "planted" };
            var reached = stepsToTarget(spec.Label, spec.Seed) ?? long.MaxValue;
            var steps = Enumerable.Range(1, (int)(spec.Steps!.Value / spec.EvalEvery!.Value) - 1).Select(i => i * spec.EvalEvery.Value);
            return new RunResult(spec)
            {
                Metrics = new Dictionary<string, double> { ["test_error_percent"] = reached <= spec.Steps ? 5 : 89 },
                History =
                [
                    .. steps.SelectMany(step => new MetricPoint[]
                    {
                        new(step, "test_error_percent", step < reached ? 89 : 5), new(step, "test_loss", 0.1),
                    }),
                ],
            };
        }
    }
}
