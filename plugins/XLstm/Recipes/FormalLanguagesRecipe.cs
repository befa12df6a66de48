using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.XLstm.Recipes;

/// <summary>
/// State tracking: parity of strings longer than those trained on. Beck et al. 2024, figure 5 (left) and section 4.1: only models that mix their memory, as
/// sLSTM does by its recurrent weights, solve it.
/// </summary>
/// <remarks>
/// <para>
/// Fixed before the first run that counts, by a pilot with seeds 11, 12 and 13, which the recipe does not use: two blocks of width 32 with one head, batches of
/// 64, AdamW at 3e-3, sLSTM without convolution as in the paper, recurrent weights that start uniform within 1/√width.
/// </para>
/// <para>
/// The last is not upstream's start, which is zero: with it one pilot of 1,500 steps had learned short strings alone. README.md has what the pilots gave.
/// </para>
/// </remarks>
internal sealed class FormalLanguagesRecipe : IRecipe
{
    private const string Metric = "test_scaled_accuracy";
    private const string DuringTraining = "val_scaled_accuracy";
    private const double LeastSolved = 0.95;
    private const double MostUnsolved = 0.3;
    private const long QuickSteps = 3000;
    private const long FullSteps = 20_000;

    private static readonly RecipeArm[] Arms =
    [
        new("slstm", "xlstm", "tiny", 1, "slstm_at=all", "slstm_block.slstm.conv1d_kernel_size=0", "slstm_block.slstm.num_heads=1",
            "slstm_block.slstm.recurrent_weight_init=standard"),
        new("mlstm", "xlstm", "tiny", 0.04, "slstm_at=[]", "mlstm_block.mlstm.num_heads=1"),
        new("mamba", "mamba", "tiny", 0.13),
        new("mingru", "mingru", "tiny", null),
    ];

    /// <summary>Languages of the full scale, beside parity, with the paper's verdict that memory mixing is needed.</summary>
    private static readonly string[] Languages = ["even-pairs", "cycle-navigation", "modular-arithmetic"];

    public RecipeInfo Info { get; } = new("xlstm-formal-languages", "State tracking: parity of long strings after training on short ones",
        "Beck et al. 2024, xLSTM, arXiv:2405.04517, figure 5 and section 4.1; the numbers are read off its heat map")
    {
        Claim = "Trained on strings of 3 to 40 symbols, sLSTM tells the parity of strings of 41 to 256 with a scaled accuracy of at least 0.95 in every seed, and mLSTM and " +
            "Mamba, which have no memory mixing, stay at or below 0.3 in every seed. minGRU is shown beside them. A model whose plugin is not installed is left out. At " +
            "full scale even-pairs, cycle-navigation and modular-arithmetic are run too, and shown without a claim.",
    };

    public void Run(IRecipeContext context)
    {
        var quick = context.Scale == RecipeScale.Quick;
        var present = Arms.Where(a => context.IsInstalled(a.Model)).ToList();
        foreach (var absent in Arms.Except(present))
            context.Note($"No installed plugin has {absent.Model}; the recipe runs without it.");
        var tasks = quick ? ["parity"] : Languages.Prepend("parity").ToArray();
        var results = context.Train([.. tasks.SelectMany(task => present.SelectMany(arm => context.Seeds.Select(seed => Spec(arm, task, seed, quick))))]);
        foreach (var task in tasks)
        {
            foreach (var arm in Arms)
                Report(context, arm, task, [.. results.Where(r => r.Spec.Label == Label(arm, task))], quick);
        }
        context.Attach(new PlotItem("Parity during training, on strings of 3 to 40 symbols", "step", "scaled accuracy",
        [
            .. from run in results
               where run.Spec.Task == "parity"
               let points = run.History.Where(p => p.Name == DuringTraining).ToList()
               where points.Count > 0
               select new PlotCurve($"{run.Spec.Label}, seed {run.Spec.Seed}", [.. points.Select(p => (double)p.Step)], [.. points.Select(p => p.Value)])
               {
                   Group = run.Spec.Label,
               },
        ]));
    }

    private static string Label(RecipeArm arm, string task) => task == "parity" ? arm.Name : $"{arm.Name}, {task}";

    private static RunSpec Spec(RecipeArm arm, string task, int seed, bool quick) => new(Label(arm, task), arm.Model)
    {
        Preset = arm.Preset,
        Task = task,
        Seed = seed,
        Steps = quick ? QuickSteps : FullSteps,
        EvalEvery = quick ? 500 : 2000,
        Sets = [.. arm.Sets, "train.batch_size=64", "train.lr=0.003", "train.warmup_steps=200"],
    };

    private static void Report(IRecipeContext context, RecipeArm arm, string task, IReadOnlyList<RunResult> runs, bool quick)
    {
        var paper = task == "parity" ? arm.Paper : null;
        if (runs.Count == 0)
        {
            context.Report(new RecipeRow(Label(arm, task), Metric, RecipeVerdict.NotAttempted, $"No installed plugin has {arm.Model}.") { Paper = paper });
            return;
        }
        double[] values = [.. runs.Where(r => r.Failure is null).Select(r => r.Metrics.GetValueOrDefault(Metric, double.NaN))];
        var (verdict, reason) = Judge(arm, task, runs, values, quick);
        context.Report(new RecipeRow(Label(arm, task), Metric, verdict, reason) { Paper = paper, Ours = values });
    }

    private static (RecipeVerdict, string) Judge(RecipeArm arm, string task, IReadOnlyList<RunResult> runs, double[] values, bool quick)
    {
        if (runs.FirstOrDefault(r => r.Failure is not null) is { } failed)
            return (RecipeVerdict.NotAttempted, $"Seed {failed.Spec.Seed} ended in an error: {failed.Failure}");
        var seeds = string.Join(", ", runs.Zip(values, (r, v) => string.Create(CultureInfo.InvariantCulture, $"{r.Spec.Seed}: {v:F2}")));
        var setUp = $"By seed: {seeds}. Two blocks of width 32, {(quick ? QuickSteps : FullSteps).ToString("N0", CultureInfo.InvariantCulture)} steps of 64 strings; the paper has 100,000 of 256.";
        if (task != "parity" || arm.Name == "mingru")
            return (RecipeVerdict.ScaledEvidence, $"Shown for comparison; no claim is made. {setUp}");
        return arm.Name == "slstm"
            ? Verdict(Array.TrueForAll(values, v => v >= LeastSolved), $"Claimed: at least {LeastSolved} in every seed. {setUp}")
            : Verdict(Array.TrueForAll(values, v => v <= MostUnsolved), $"Claimed: at most {MostUnsolved} in every seed. {setUp}");

        // Smaller nets and fewer steps than the paper's at either scale.
        static (RecipeVerdict, string) Verdict(bool holds, string reason) => (holds ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced, reason);
    }
}
