using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.MinRnn.Recipes;

/// <summary>Character-level language modelling: Feng et al. 2024, figure 2 and section 4.2; the loss, and the step at which each model is best.</summary>
/// <remarks>
/// Fixed before the first run that counts: three layers, width 128 at quick scale, windows of 128, batches of 16, AdamW at 1e-3, evaluation every
/// 100 of 800 steps. The paper compares best held-out losses and how early each is reached, so that is what is reported.
/// </remarks>
internal sealed class ShakespeareRecipe : IRecipe
{
    private const string Metric = "val_loss";
    private const double MostBetweenBoth = 0.1;

    /// <summary>Best test loss and the step of it, Feng et al. 2024.</summary>
    private static readonly Arm[] Arms =
    [
        new("mingru", 1.548, 575), new("minlstm", 1.555, 625), new("mamba", 1.575, 400), new("transformer", 1.547, 2000),
    ];

    public RecipeInfo Info { get; } = new("minrnn-shakespeare", "Character-level language modelling: best loss, and when it is reached",
        "Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201, section 4.2")
    {
        Claim = "minGRU and minLSTM reach best losses within 0.1 nats of each other, as in the paper (1.548 and 1.555). Models that are not installed are " +
            "left out. At quick scale the nets are a third as wide and see 800 steps of 16 windows, so that losses are above the paper's.",
        DefaultSeeds = 1,
        DataHelp = "tiny Shakespeare as a text file; without it a text of simple English is generated, whose losses are its own",
    };

    public void Run(IRecipeContext context)
    {
        var quick = context.Scale == RecipeScale.Quick;
        var present = Arms.Where(a => context.IsInstalled(a.Model)).ToList();
        var results = context.Train([.. present.SelectMany(arm => context.Seeds.Select(seed => Spec(arm, seed, quick, context.DataPath)))]);
        var byArm = results.GroupBy(r => r.Spec.Label).ToDictionary(g => g.Key, g => g.ToList(), StringComparer.Ordinal);
        foreach (var arm in Arms)
        {
            if (!byArm.TryGetValue(arm.Model, out var runs))
            {
                context.Report(new RecipeRow(arm.Model, Metric, RecipeVerdict.NotAttempted, $"No installed plugin has {arm.Model}.") { Paper = arm.Loss });
                continue;
            }
            var best = runs.Where(r => r.Failure is null).Select(Best).ToList();
            var (verdict, reason) = Judge(arm, byArm, quick, context.DataPath is not null);
            context.Report(new RecipeRow(arm.Model, Metric, verdict, reason) { Paper = arm.Loss, Ours = [.. best.Select(b => b.Loss)] });
            context.Report(new RecipeRow(arm.Model, "step_of_best", best.Count == 0 ? RecipeVerdict.NotAttempted : RecipeVerdict.ScaledEvidence,
                "When the held-out loss was lowest; at quick scale it still falls at the end.")
            { Paper = arm.Step, Ours = [.. best.Select(b => (double)b.Step)] });
        }
        context.Attach(new PlotItem("Held-out loss during training", "step", "loss, nats a character",
        [
            .. from run in results
               let points = Losses(run)
               where points.Count > 0
               select new PlotCurve($"{run.Spec.Label}, seed {run.Spec.Seed}", [.. points.Select(p => (double)p.Step)], [.. points.Select(p => p.Value)])
               {
                   Group = run.Spec.Label,
               },
        ]));
    }

    private static RunSpec Spec(Arm arm, int seed, bool quick, string? data)
    {
        var ours = arm.Model is "mingru" or "minlstm";
        return new(arm.Model, arm.Model)
        {
            Preset = ours ? "shakespeare" : null,
            Task = "char-lm",
            DataPath = data,
            Seed = seed,
            Steps = quick ? 800 : 5000,
            EvalEvery = quick ? 100 : 25,
            Sets =
            [
                .. ours && quick ? new[] { "dim=128", "dropout=0" } : [],
                quick ? "task.length=128" : "task.length=256", quick ? "train.batch_size=16" : "train.batch_size=64", "train.lr=0.001", "train.clip=0.25",
            ],
        };
    }

    private static (RecipeVerdict, string) Judge(Arm arm, IReadOnlyDictionary<string, List<RunResult>> runs, bool quick, bool isText)
    {
        var failed = runs[arm.Model].FirstOrDefault(r => r.Failure is not null);
        if (failed is not null)
            return (RecipeVerdict.NotAttempted, $"Seed {failed.Spec.Seed} ended in an error: {failed.Failure}");
        var text = isText ? "the text given" : "a generated text, whose losses are its own";
        if (arm.Model is not ("mingru" or "minlstm"))
            return (RecipeVerdict.ScaledEvidence, $"For comparison, with its own defaults; no claim is made. {char.ToUpperInvariant(text[0])}{text[1..]}.");
        if (runs["mingru"].Concat(runs["minlstm"]).Any(r => r.Failure is not null))
            return (RecipeVerdict.NotAttempted, "The other of the two ended in an error.");
        var difference = Math.Abs(runs["mingru"].Average(r => Best(r).Loss) - runs["minlstm"].Average(r => Best(r).Loss));
        var holds = difference <= MostBetweenBoth;
        return (!holds ? RecipeVerdict.NotReproduced : quick || !isText ? RecipeVerdict.ScaledEvidence : RecipeVerdict.Reproduced,
            string.Create(CultureInfo.InvariantCulture, $"Claimed: best losses of minGRU and minLSTM at most {MostBetweenBoth} apart; they are {difference:F3}. On {text}."));
    }

    private static List<MetricPoint> Losses(RunResult run) =>
    [
        .. run.History.Where(p => p.Name == Metric),
        .. run.Metrics.TryGetValue(Metric, out var last) ? new[] { new MetricPoint(run.Spec.Steps!.Value, Metric, last) } : [],
    ];

    private static (double Loss, long Step) Best(RunResult run) => Losses(run).Select(p => (p.Value, p.Step)).DefaultIfEmpty((double.NaN, 0)).Min();

    private sealed record Arm(string Model, double Loss, double Step);
}
