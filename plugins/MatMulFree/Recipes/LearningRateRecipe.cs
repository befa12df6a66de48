using System.Globalization;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.MatMulFree.Recipes;

/// <summary>
/// Where the best learning rate lies, against a Transformer's, and what the late part of the schedule brings: Zhu et al. 2024, section 4.2 and
/// figures 4 and 5.
/// </summary>
/// <remarks>Fixed before the first run that counts: both models 128 wide with 4 layers, windows of 256, batches of 8.</remarks>
internal sealed class LearningRateRecipe : IRecipe
{
    private const double PaperRatio = 4e-3 / 3e-4;
    private const double LeastRatio = 3;
    private const string Loss = "val_loss";
    private const string ConstantRate = "train.schedule=constant";

    private static readonly double[] Rates = [1e-3, 3e-3, 1e-2, 3e-2];
    private static readonly double[] TransformerRates = [3e-4, 1e-3, 3e-3, 1e-2];

    public RecipeInfo Info { get; } = new("matmulfree-lr",
        "The best learning rate on tiny Shakespeare against a Transformer's, and the late drop of the loss",
        "Zhu et al. 2024, Scalable MatMul-free Language Modeling, arXiv:2406.02528, section 4.2: 4e-3 against 3e-4 at 370 million parameters; the loss drops late")
    {
        Claim = "The rate with the lowest validation loss is at least 3 times a Transformer's of the same width and depth, on rates half an order of magnitude apart. " +
            "With the schedule that ends at zero and drops midway, the loss falls more in the last tenth of the run than under a constant rate.",
        DefaultSeeds = 1,
        DataHelp = "the file tinyshakespeare.txt; without it text is generated, and the numbers mean nothing beside the paper's",
    };

    public void Run(IRecipeContext context)
    {
        if (context.DataPath is null)
        {
            context.Report(new RecipeRow("matmulfree", "best_rate_over_transformers", RecipeVerdict.NotAttempted, "It needs tiny Shakespeare: --data tinyshakespeare.txt.")
            {
                Paper = PaperRatio,
            });
            return;
        }
        var steps = context.Scale == RecipeScale.Full ? 5_000 : 250;
        var specs = new List<RunSpec>();
        foreach (var seed in context.Seeds)
        {
            specs.AddRange(Rates.Select(rate => Spec(context, "matmulfree", "small", rate, seed, steps, ["train.batch_size=8"])));
            specs.Add(Spec(context, "matmulfree", "small", 1e-2, seed, steps, ["train.batch_size=8", ConstantRate]));
            if (context.IsInstalled("transformer"))
            {
                specs.AddRange(TransformerRates.Select(rate => Spec(
                    context, "transformer", "default", rate, seed, steps, ["n_embd=128", "n_head=4", "n_layer=4", "dropout=0", "train.batch_size=8"])));
            }
        }
        var runs = context.Train(specs);
        Optimum(context, runs);
        LateDrop(context, runs, steps);
        context.Attach(new PlotItem("Validation loss at the end", "learning rate", "nats a character",
        [
            .. from label in new[] { "matmulfree", "transformer" }
               let ended = runs.Where(r => IsSwept(r, label) && r.Failure is null).GroupBy(r => RateOf(r.Spec)).OrderBy(g => g.Key).ToList()
               where ended.Count > 0
               select new PlotCurve(label, [.. ended.Select(g => g.Key)], [.. ended.Select(g => g.Average(r => r.Metrics[Loss]))]),
        ]));
    }

    /// <summary>A run's label has its rate: runs of one label and seed are one run.</summary>
    private static RunSpec Spec(IRecipeContext context, string model, string preset, double rate, int seed, int steps, string[] sets) => new(
        string.Create(CultureInfo.InvariantCulture, $"{model}{(sets.Contains(ConstantRate) ? "-constant" : "")}-{rate}"), model)
    {
        DataPath = context.DataPath,
        Preset = preset,
        Task = "char-lm",
        Sets = [.. sets, "task.length=256", string.Create(CultureInfo.InvariantCulture, $"train.lr={rate}")],
        Steps = steps,
        EvalEvery = Math.Max(1, steps / 10),
        Seed = seed,
    };

    private static bool IsSwept(RunResult run, string model) => run.Spec.Model == model && !run.Spec.Sets.Contains(ConstantRate);

    private static double RateOf(RunSpec spec) => double.Parse(spec.Sets[^1]["train.lr=".Length..], CultureInfo.InvariantCulture);

    private static void Optimum(IRecipeContext context, IReadOnlyList<RunResult> runs)
    {
        var ratios = new List<double>();
        foreach (var seed in context.Seeds)
        {
            if (Best("matmulfree", seed) is { } own && Best("transformer", seed) is { } other)
                ratios.Add(own / other);
        }
        if (ratios.Count < context.Seeds.Count)
        {
            context.Report(new RecipeRow("matmulfree", "best_rate_over_transformers", RecipeVerdict.NotAttempted,
                context.IsInstalled("transformer") ? "A run ended in an error." : "The transformer is not installed.")
            { Paper = PaperRatio });
            return;
        }
        var losses = string.Join("; ", runs.Where(r => r.Failure is null && !r.Spec.Sets.Contains(ConstantRate))
            .Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Spec.Model} at {RateOf(r.Spec)}: {r.Metrics[Loss]:F3}")));
        var holds = ratios.All(r => r >= LeastRatio * 0.999);
        context.Report(new RecipeRow("matmulfree", "best_rate_over_transformers", holds ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced,
            $"Claimed: at least {LeastRatio} with every seed. Models of about a million parameters. {losses}.")
        { Paper = PaperRatio, Ours = ratios });

        double? Best(string label, int seed) => runs.Where(r => IsSwept(r, label) && r.Spec.Seed == seed).ToList() is { Count: > 0 } of && of.All(r => r.Failure is null)
            ? RateOf(of.MinBy(r => r.Metrics[Loss])!.Spec)
            : null;
    }

    private static void LateDrop(IRecipeContext context, IReadOnlyList<RunResult> runs, int steps)
    {
        var own = Drops(constant: false);
        var constant = Drops(constant: true);
        var holds = own.Count > 0 && own.Count == constant.Count && own.Zip(constant).All(pair => pair.First > pair.Second);
        context.Report(new RecipeRow("matmulfree at 0.01", "fall_of_loss_in_last_tenth", own.Count == 0 ? RecipeVerdict.NotAttempted
            : holds ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced, own.Count == 0 ? "The run ended in an error."
            : "Claimed: more than under a constant rate, with every seed. The paper shows a curve and no number.")
        { Ours = own });
        context.Report(new RecipeRow("matmulfree at a constant 0.01", "fall_of_loss_in_last_tenth",
            constant.Count == 0 ? RecipeVerdict.NotAttempted : RecipeVerdict.ScaledEvidence, constant.Count == 0 ? "The run ended in an error." : "For comparison, no claim.")
        { Ours = constant });

        List<double> Drops(bool constant) =>
        [
            .. runs.Where(r => r.Spec.Model == "matmulfree" && r.Failure is null && RateOf(r.Spec) == 1e-2 && r.Spec.Sets.Contains(ConstantRate) == constant)
                .Select(r => LastTenth(r, steps)),
        ];
    }

    private static double LastTenth(RunResult run, int steps)
    {
        var before = run.History.Where(p => p.Name == Loss && p.Step <= steps - steps / 10).OrderBy(p => p.Step).LastOrDefault();
        return before is null ? 0 : before.Value - run.Metrics[Loss];
    }
}
