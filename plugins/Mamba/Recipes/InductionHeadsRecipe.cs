using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Mamba.Recipes;

/// <summary>Induction heads at the training length and far beyond it: Gu and Dao 2023, table 11.</summary>
/// <remarks>
/// The paper's net (two layers of 64), ids (16) and no weight decay. At quick scale samples of 64 tokens instead of 256, in batches of 64 instead of 8
/// at 2e-3 instead of 1e-3: with one scored token a sample, the paper's batches of 8 were still at chance after 1,500 steps of a pilot with seed 11.
/// The set-up first fixed had the paper's constant rate and 1,500 steps; its three seeds were right at the training length and twice it, and had
/// 98.4 ± 2.7 % at four times and 88.5 ± 13.1 % at eight times. This one has 3,000 steps with a cosine, as a pilot with seed 11 had, and is not changed again.
/// </remarks>
internal sealed class InductionHeadsRecipe : IRecipe
{
    private const double Band = 0.99;
    private const int QuickTrainLength = 64;
    private const int FullTrainLength = 256;
    private const long QuickSteps = 3_000;
    private const long FullSteps = 204_800;

    private static readonly int[] QuickLengths = [32, 64, 128, 256, 512, 1024];
    private static readonly int[] FullLengths = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536];

    public RecipeInfo Info { get; } = new("mamba-induction-heads",
        "Induction heads: recall at the training length and at many times it",
        "Gu and Dao 2023, Mamba, arXiv:2312.00752, table 11")
    {
        Claim = "A two-layer Mamba names the token after the marker in at least 99 % of the samples at the training length and at eight times it. At quick " +
            "scale that length is 64; at full scale it is the paper's 256, and the paper goes to 4,096 times it.",
        DefaultSeeds = 3,
    };

    public void Run(IRecipeContext context)
    {
        var isFull = context.Scale == RecipeScale.Full;
        var lengths = isFull ? FullLengths : QuickLengths;
        var runs = context.Train([.. context.Seeds.Select(seed => new RunSpec("mamba", "mamba")
        {
            Task = "induction-heads",
            Preset = "tiny",
            Sets =
            [
                "d_model=64", "n_layer=2", "task.vocab_size=16", $"task.length={(isFull ? FullTrainLength : QuickTrainLength)}", $"task.test_lengths=[{string.Join(',', lengths)}]",
                isFull ? "train.batch_size=8" : "train.batch_size=64", isFull ? "train.lr=1e-3" : "train.lr=2e-3", isFull ? "train.schedule=constant" : "train.schedule=cosine", "train.weight_decay=0",
            ],
            Steps = isFull ? FullSteps : QuickSteps,
            EvalEvery = isFull ? 8_192 : 500,
            Seed = seed,
        })]);
        var failure = runs.FirstOrDefault(r => r.Failure is not null);
        foreach (var length in lengths)
        {
            var values = runs.Where(r => r.Failure is null).Select(r => r.Metrics[Metric(length)]).ToList();
            var holds = values.Count == runs.Count && values.All(v => v >= Band);
            var verdict = failure is not null ? RecipeVerdict.NotAttempted
                : !holds ? RecipeVerdict.NotReproduced
                : isFull ? RecipeVerdict.Reproduced : RecipeVerdict.ScaledEvidence;
            context.Report(new RecipeRow(string.Create(CultureInfo.InvariantCulture, $"length {length}"), "accuracy_percent", verdict, failure is not null
                ? $"Seed {failure.Spec.Seed} ended in an error: {failure.Failure}"
                : $"Claimed: at least 99 % with every seed. {(isFull ? "The paper's steps." : string.Create(CultureInfo.InvariantCulture, $"Samples of {QuickTrainLength} tokens instead of {FullTrainLength}, {QuickSteps:N0} steps instead of {FullSteps:N0}."))}")
            {
                Paper = 100,
                Ours = [.. values.Select(v => 100 * v)],
            });
        }
        context.Attach(new PlotItem("Accuracy by length", "tokens", "accuracy, %",
        [
            .. runs.Where(r => r.Failure is null).Select(run => new PlotCurve(
                $"seed {run.Spec.Seed}", [.. lengths.Select(l => (double)l)], [.. lengths.Select(l => 100 * run.Metrics[Metric(l)])])),
        ])
        {
            LogX = true,
        });
    }

    private static string Metric(int length) => string.Create(CultureInfo.InvariantCulture, $"test_{length}_accuracy");
}
