using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.XLstm.Recipes;

/// <summary>Character-level language modelling with xLSTM[1:0], [1:1] and [0:1]: the small counterpart of the paper's language models.</summary>
/// <remarks>
/// The paper orders xLSTM[1:0] (13.43) and [7:1] (13.48) before the ablation with sLSTM alone (17.70), in perplexity on 15 B tokens of SlimPajama (tables 1 and 2).
/// Fixed before the first run that counts: width 128, four blocks, windows of 128, batches of 16, AdamW at 2e-3.
/// </remarks>
internal sealed class ShakespeareRecipe : IRecipe
{
    private const string Metric = "val_loss";
    private const long QuickSteps = 800;
    private const long FullSteps = 5000;

    private static readonly RecipeArm[] Arms =
    [
        new("xlstm[1:0]", "xlstm", "small", null, "slstm_at=[]"), new("xlstm[1:1]", "xlstm", "small", null, "slstm_at=[1,3]"),
        new("xlstm[0:1]", "xlstm", "small", null, "slstm_at=all"), new("mamba", "mamba", "small", null),
    ];

    public RecipeInfo Info { get; } = new("xlstm-shakespeare", "Character-level language modelling: matrix memory, scalar memory and both",
        "Beck et al. 2024, xLSTM, arXiv:2405.04517, tables 1 and 2: the ordering of [1:0], [7:1] and [0:1]")
    {
        Claim = "At the same width and number of blocks, xLSTM[1:0] has a lower held-out loss than xLSTM[0:1], as in the paper's ablation. No claim is made about the others, nor " +
            "about the paper's perplexities, which are of other data.",
        DefaultSeeds = 2,
        DataHelp = "tiny Shakespeare as a text file; without it a text of simple English is generated, whose losses are its own",
    };

    public void Run(IRecipeContext context)
    {
        var quick = context.Scale == RecipeScale.Quick;
        var present = Arms.Where(a => context.IsInstalled(a.Model)).ToList();
        foreach (var absent in Arms.Except(present))
            context.Note($"No installed plugin has {absent.Model}; the recipe runs without it.");
        var results = context.Train([.. present.SelectMany(arm => context.Seeds.Select(seed => Spec(arm, seed, quick, context.DataPath)))]);
        var byArm = results.ToLookup(r => r.Spec.Label, StringComparer.Ordinal);
        foreach (var arm in Arms)
        {
            var runs = byArm[arm.Name].ToList();
            double[] values = [.. runs.Where(r => r.Failure is null).Select(Loss)];
            var (verdict, reason) = Judge(arm, byArm, context.DataPath is not null);
            context.Report(new RecipeRow(arm.Name, Metric, verdict, reason) { Ours = values });
        }
        context.Attach(new PlotItem("Held-out loss during training", "step", "loss, nats a character",
        [
            .. from run in results
               let points = run.History.Where(p => p.Name == Metric).ToList()
               where points.Count > 0
               select new PlotCurve($"{run.Spec.Label}, seed {run.Spec.Seed}", [.. points.Select(p => (double)p.Step)], [.. points.Select(p => p.Value)])
               {
                   Group = run.Spec.Label,
               },
        ]));
    }

    private static RunSpec Spec(RecipeArm arm, int seed, bool quick, string? data) => new(arm.Name, arm.Model)
    {
        Preset = arm.Preset,
        Task = "char-lm",
        DataPath = data,
        Seed = seed,
        Steps = quick ? QuickSteps : FullSteps,
        EvalEvery = quick ? 200 : 500,
        Sets = [.. arm.Sets, "task.length=128", "train.batch_size=16", "train.lr=0.002"],
    };

    private static double Loss(RunResult run) => run.Metrics.GetValueOrDefault(Metric, double.NaN);

    private static (RecipeVerdict, string) Judge(RecipeArm arm, ILookup<string, RunResult> runs, bool isText)
    {
        if (!runs[arm.Name].Any())
            return (RecipeVerdict.NotAttempted, $"No installed plugin has {arm.Model}.");
        if (runs[arm.Name].FirstOrDefault(r => r.Failure is not null) is { } failed)
            return (RecipeVerdict.NotAttempted, $"Seed {failed.Spec.Seed} ended in an error: {failed.Failure}");
        var text = isText ? "the text given" : "a generated text, whose losses are its own";
        if (arm.Name is not ("xlstm[1:0]" or "xlstm[0:1]"))
            return (RecipeVerdict.ScaledEvidence, $"Shown for comparison; no claim is made. On {text}.");
        var both = runs["xlstm[1:0]"].Concat(runs["xlstm[0:1]"]).ToList();
        if (both.Any(r => r.Failure is not null))
            return (RecipeVerdict.NotAttempted, "The one it is compared with ended in an error.");
        var difference = runs["xlstm[0:1]"].Average(Loss) - runs["xlstm[1:0]"].Average(Loss);
        return (difference > 0 ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced,
            string.Create(CultureInfo.InvariantCulture, $"Claimed: xLSTM[1:0] is below xLSTM[0:1]; by means over seeds it is {difference:F3} nats below. On {text}."));
    }
}
