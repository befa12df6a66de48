using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Mamba.Recipes;

/// <summary>Induction heads at the training length and far beyond it: Gu and Dao 2023, table 11.</summary>
/// <remarks>
/// The paper's net (two layers of 64), ids (16), longest sample (256), batches of 8, a constant 1e-3 and no weight decay. At quick scale 12,000 steps instead
/// of its 204,800, and samples of 8 to 256 tokens instead of 256, which leave chance after 780 to 960 steps where samples of 256 take more than 5,000.
/// This is the sixth set-up, chosen on the development seeds 102 and 103 and fixed before its own run; the seeds that count, 1 to 3, had been seen by the
/// five before it. Those had batches of 64 and 1,000 to 3,000 steps, most along a cosine, and each had a seed below 99 % at eight times the
/// length. They differ from the paper in how far Adam goes, rate times steps: 1 to 3 there, 205 in the paper, 12 here. Adam's ε is 1e-16 as in the fifth,
/// because 1e-8 is more than the gradients once the loss is near 0. It gave 100 % with every seed to eight times the length. The README has every set-up's figures.
/// </remarks>
internal sealed class InductionHeadsRecipe : IRecipe
{
    private const double Band = 0.99;
    private const int TrainLength = 256;
    private const int ClaimedFactor = 8;
    private const int QuickShortest = 8;
    private const int TestCount = 1024;   // 128 samples at eight times the length, twice as many as the task's own number gives
    private const long QuickSteps = 12_000;
    private const long FullSteps = 204_800;

    private static readonly int[] QuickLengths = [128, 256, 512, 1024, 2048, 4096];
    private static readonly int[] FullLengths = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536];

    public RecipeInfo Info { get; } = new("mamba-induction-heads",
        "Induction heads: recall at the training length and at many times it",
        "Gu and Dao 2023, Mamba, arXiv:2312.00752, table 11")
    {
        Claim = "A two-layer Mamba trained on samples of up to 256 tokens names the token after the marker in at least 99 % of the samples of that length and " +
            "of eight times it. The paper trains on 256 alone, and goes to 4,096 times it.",
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
                "d_model=64", "n_layer=2", "task.vocab_size=16", $"task.length={TrainLength}", $"task.test_lengths=[{string.Join(',', lengths)}]", $"task.test_count={TestCount}",
                $"task.min_length={(isFull ? TrainLength : QuickShortest)}",
                "train.batch_size=8", "train.schedule=constant", "train.weight_decay=0", "train.lr=1e-3", .. isFull ? Array.Empty<string>() : ["train.eps=1e-16"],
            ],
            Steps = isFull ? FullSteps : QuickSteps,
            EvalEvery = isFull ? 8_192 : 4_000,
            Seed = seed,
        })]);
        var failure = runs.FirstOrDefault(r => r.Failure is not null);
        foreach (var length in lengths)
        {
            var values = runs.Where(r => r.Failure is null).Select(r => r.Metrics[Metric(length)]).ToList();
            var isClaimed = length <= ClaimedFactor * TrainLength;
            var holds = values.Count == runs.Count && values.All(v => v >= Band);
            var verdict = failure is not null ? RecipeVerdict.NotAttempted
                : isClaimed && !holds ? RecipeVerdict.NotReproduced
                : isFull && holds ? RecipeVerdict.Reproduced : RecipeVerdict.ScaledEvidence;
            var claim = isClaimed ? "Claimed: at least 99 % with every seed." : "Shown; nothing is claimed beyond eight times the training length.";
            var setUp = isFull ? "The paper's steps." : string.Create(CultureInfo.InvariantCulture,
                $"Samples of {QuickShortest} to {TrainLength} tokens instead of {TrainLength}, {QuickSteps:N0} steps instead of {FullSteps:N0}.");
            context.Report(new RecipeRow(string.Create(CultureInfo.InvariantCulture, $"length {length}"), "accuracy_percent", verdict,
                failure is not null ? $"Seed {failure.Spec.Seed} ended in an error: {failure.Failure}" : $"{claim} {setUp}")
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
