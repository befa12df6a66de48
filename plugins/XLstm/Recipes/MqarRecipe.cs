using System.Globalization;
using Zoo.Recipes;

namespace Zoo.XLstm.Recipes;

/// <summary>Multi-query associative recall: Beck et al. 2024, section 4.1 and figure 5 (right); matrix memory stores more associations than vectors do.</summary>
/// <remarks>
/// Fixed before the first run that counts: two layers of width 64, 64 tokens with 4 pairs and 128 with 8, a vocabulary of 256, batches of 64, AdamW at 3e-3. The paper
/// has 8,192 ids and up to 256 pairs.
/// </remarks>
internal sealed class MqarRecipe : IRecipe
{
    private const string Metric = "test_accuracy";
    private const double LeastSolved = 0.9;
    private const long QuickSteps = 1500;
    private const long FullSteps = 10_000;

    private static readonly RecipeArm[] Arms =
    [
        new("mlstm", "xlstm", "tiny", null, "slstm_at=[]", "embedding_dim=64"), new("xlstm[1:1]", "xlstm", "tiny", null, "slstm_at=[1]", "embedding_dim=64"),
        new("slstm", "xlstm", "tiny", null, "slstm_at=all", "embedding_dim=64"), new("mamba", "mamba", "tiny", null, "d_model=64"),
    ];

    public RecipeInfo Info { get; } = new("xlstm-mqar", "Multi-query associative recall: what matrix memory holds",
        "Beck et al. 2024, xLSTM, arXiv:2405.04517, section 4.1 and figure 5; set-up of Arora et al. 2023, Zoology")
    {
        Claim = "A net with mLSTM blocks names at least 90 % of the values of 4 pairs in 64 tokens in every seed. sLSTM and, where it is installed, Mamba are shown beside it " +
            "without a claim; the paper's own sizes (8,192 ids, up to 256 pairs) are not attempted on a processor.",
        DefaultSeeds = 2,
    };

    public void Run(IRecipeContext context)
    {
        var quick = context.Scale == RecipeScale.Quick;
        var present = Arms.Where(a => context.IsInstalled(a.Model)).ToList();
        foreach (var absent in Arms.Except(present))
            context.Note($"No installed plugin has {absent.Model}; the recipe runs without it.");
        (int Length, int Pairs)[] sizes = quick ? [(64, 4)] : [(64, 4), (128, 8), (256, 16)];
        var specs = sizes.SelectMany(size => present.SelectMany(arm => context.Seeds.Select(seed => Spec(arm, size, seed, quick)))).ToList();
        var results = context.Train(specs);
        foreach (var size in sizes)
        {
            foreach (var arm in Arms)
                Report(context, arm, size, [.. results.Where(r => r.Spec.Label == Label(arm, size))], quick);
        }
    }

    private static string Label(RecipeArm arm, (int Length, int Pairs) size) => $"{arm.Name}, {size.Pairs} pairs in {size.Length}";

    private static RunSpec Spec(RecipeArm arm, (int Length, int Pairs) size, int seed, bool quick) => new(Label(arm, size), arm.Model)
    {
        Preset = arm.Preset,
        Task = "mqar",
        Seed = seed,
        Steps = quick ? QuickSteps : FullSteps,
        EvalEvery = quick ? 500 : 2000,
        Sets = [.. arm.Sets, $"task.length={size.Length}", $"task.num_kv_pairs={size.Pairs}", "train.batch_size=64", "train.lr=0.003", "train.warmup_steps=150"],
    };

    private static void Report(IRecipeContext context, RecipeArm arm, (int Length, int Pairs) size, IReadOnlyList<RunResult> runs, bool quick)
    {
        if (runs.Count == 0)
        {
            context.Report(new RecipeRow(Label(arm, size), Metric, RecipeVerdict.NotAttempted, $"No installed plugin has {arm.Model}."));
            return;
        }
        double[] values = [.. runs.Where(r => r.Failure is null).Select(r => r.Metrics.GetValueOrDefault(Metric, double.NaN))];
        if (runs.FirstOrDefault(r => r.Failure is not null) is { } failed)
        {
            context.Report(new RecipeRow(Label(arm, size), Metric, RecipeVerdict.NotAttempted, $"Seed {failed.Spec.Seed} ended in an error: {failed.Failure}") { Ours = values });
            return;
        }
        var steps = (quick ? QuickSteps : FullSteps).ToString("N0", CultureInfo.InvariantCulture);
        var setUp = $"Two layers of width 64, 256 ids, {steps} steps of 64; the paper has 8,192 ids.";
        var claimed = size.Pairs == 4 && arm.Name is "mlstm" or "xlstm[1:1]";
        var (verdict, reason) = !claimed ? (RecipeVerdict.ScaledEvidence, "Shown for comparison; no claim is made.")
            : (Array.TrueForAll(values, v => v >= LeastSolved) ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced, $"Claimed: at least {LeastSolved} in every seed.");
        context.Report(new RecipeRow(Label(arm, size), Metric, verdict, $"{reason} {setUp}") { Ours = values });
    }
}
