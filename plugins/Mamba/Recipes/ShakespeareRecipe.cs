using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Mamba.Recipes;

/// <summary>A character model of tiny Shakespeare: Feng et al. 2024, Were RNNs All We Needed, figure 2, which has Mamba at 1.575 nats.</summary>
/// <remarks>Fixed before the first run that counts: four layers of 128, windows of 256, batches of 8, 1,500 steps at quick scale.</remarks>
internal sealed class ShakespeareRecipe : IRecipe
{
    private const double PaperNats = 1.575;
    private const double QuickBand = 1.75;
    private const double FullBand = 1.62;
    private const string Loss = "val_loss";

    public RecipeInfo Info { get; } = new("mamba-shakespeare",
        "Tiny Shakespeare by characters",
        "Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201, section 4.3: Mamba 1.575 nats a character")
    {
        Claim = "At quick scale a Mamba of 0.5 million parameters reaches 1.75 nats a character in minutes on a processor. At full scale one of the " +
            "paper's size comes within 3 % of its 1.575.",
        DefaultSeeds = 1,
        DataHelp = "the file tinyshakespeare.txt; without it text is generated, and the numbers mean nothing beside the paper's",
    };

    public void Run(IRecipeContext context)
    {
        var isFull = context.Scale == RecipeScale.Full;
        if (context.DataPath is null)
        {
            context.Report(new RecipeRow("mamba", "nats_per_character", RecipeVerdict.NotAttempted, "It needs tiny Shakespeare: --data tinyshakespeare.txt.")
            {
                Paper = PaperNats,
            });
            return;
        }
        var runs = context.Train([.. context.Seeds.Select(seed => new RunSpec("mamba", "mamba")
        {
            Task = "char-lm",
            Preset = "small",
            DataPath = context.DataPath,
            Sets = isFull
                ? ["d_model=384", "n_layer=6", "train.batch_size=64", "train.lr=1e-3", "task.length=256"]
                : ["train.batch_size=8", "task.length=256"],
            Steps = isFull ? 5_000 : 1_500,
            EvalEvery = isFull ? 250 : 250,
            Seed = seed,
        })]);
        var failure = runs.FirstOrDefault(r => r.Failure is not null);
        var values = runs.Where(r => r.Failure is null).Select(Best).ToList();
        var band = isFull ? FullBand : QuickBand;
        var holds = values.Count == runs.Count && values.All(v => v <= band);
        context.Report(new RecipeRow("mamba", "nats_per_character", failure is not null ? RecipeVerdict.NotAttempted
            : !holds ? RecipeVerdict.NotReproduced
            : isFull ? RecipeVerdict.Reproduced : RecipeVerdict.ScaledEvidence, failure is not null
            ? $"Seed {failure.Spec.Seed} ended in an error: {failure.Failure}"
            : string.Create(CultureInfo.InvariantCulture, $"Claimed: at most {band} with every seed. {(isFull ? "The paper's figures are of its best step; so are these." : "0.5 million parameters and 3 million characters seen.")}"))
        {
            Paper = PaperNats,
            Ours = values,
        });
        context.Attach(new PlotItem("Validation loss", "steps", "nats a character",
        [
            .. from run in runs
               let points = run.History.Where(p => p.Name == Loss).ToList()
               where points.Count > 0
               select new PlotCurve($"seed {run.Spec.Seed}", [.. points.Select(p => (double)p.Step)], [.. points.Select(p => p.Value)]),
        ]));
    }

    /// <summary>The least loss on the way or at the end, as the paper reports it.</summary>
    private static double Best(RunResult run) => run.History.Where(p => p.Name == Loss).Select(p => p.Value).Append(run.Metrics[Loss]).Min();
}
