using System.Globalization;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Reports;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.MinRnn.Recipes;

/// <summary>Time of a training step against the length of its sequences, at one number of tokens a step: Feng et al. 2024, figure 1.</summary>
/// <remarks>
/// The paper times loops in Python; here every speed-up stands beside libtorch's own GRU and LSTM as well. CPU time of forward, loss and backward
/// in this process, the least of the runs; models and lengths take turns, so that a busy moment hits all of them.
/// </remarks>
internal sealed class SpeedRecipe : IRecipe
{
    private const long TokensAStep = 16_384;
    private const double MostOverLeast = 1.15;
    private const int Runs = 4;

    private static readonly int[] Lengths = [128, 256, 512, 1024, 2048, 4096];

    /// <summary>Names as the rows have them, with the paper's speed-up at 4,096 over the loop.</summary>
    private static readonly (string Row, string Config, string? Loop, string? Library, double? Paper)[] Arms =
    [
        ("mingru", "mingru", "gru-loop", "gru-libtorch", 1324), ("minlstm", "minlstm", "lstm-loop", "lstm-libtorch", 1361),
        ("gru-loop", "gru", null, null, null), ("gru-libtorch", "gru", null, null, null),
        ("lstm-loop", "lstm", null, null, null), ("lstm-libtorch", "lstm", null, null, null),
    ];

    public RecipeInfo Info { get; } = new("minrnn-speed", "Training-step time against length: minGRU and minLSTM, GRU and LSTM by a loop and by libtorch",
        "Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201, figure 1")
    {
        Claim = "At 16,384 tokens a step, the time a token of minGRU and minLSTM is flat from 128 to 4,096 steps: the longest over the shortest is at most 1.15. " +
            "The paper's speed-ups (1,324 and 1,361 times at 4,096, on a T4, over loops in Python) are another machine's; ours are shown over a loop of tensor " +
            "operations and over libtorch's own layers.",
        DefaultSeeds = 1,
    };

    public void Run(IRecipeContext context)
    {
        var least = Measure(context);
        foreach (var (row, _, loop, library, paper) in Arms)
        {
            var times = least[row];
            var ratio = times.Values.Max() / times.Values.Min();
            if (loop is null || library is null)
            {
                context.Report(new RecipeRow(row, "longest_over_shortest_time", RecipeVerdict.ScaledEvidence,
                    $"For comparison, no claim: {Words(times)}.")
                { Ours = [ratio] });
                continue;
            }
            var flat = ratio <= MostOverLeast;
            context.Report(new RecipeRow(row, "longest_over_shortest_time", flat ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced,
                $"Claimed: at most {MostOverLeast.ToString(CultureInfo.InvariantCulture)} over all lengths. {Words(times)}; on this CPU, not a T4.")
            { Ours = [ratio] });
            foreach (var (metric, other) in new[] { ("speedup_over_loop_at_4096", loop), ("speedup_over_libtorch_at_4096", library) })
            {
                var speedup = least[other][4096] / times[4096];
                context.Report(new RecipeRow(row, metric, speedup > 1 ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced,
                    $"Claimed: above 1. {other} beside it, width 128, one thread, batch 4; the paper's is over a loop in Python on a T4 at batch 64.")
                {
                    Paper = other == loop ? paper : null,
                    Ours = [speedup],
                });
            }
        }
        context.Attach(new PlotItem("Training step: CPU time a token", "steps of time", "microseconds a token",
            [.. Arms.Select(a => new PlotCurve(a.Row, [.. Lengths.Select(l => (double)l)], [.. Lengths.Select(l => least[a.Row][l])]))])
        {
            LogX = true,
            LogY = true,
        });
        context.Attach(new TextItem("Reading the plot",
            "A step is forward, loss and backward of 16,384 tokens, whatever their arrangement. A recurrence over states takes as many dependent operations as there " +
            "are steps of time, so with long sequences and few of them its products get thin; a scan does not have them."));
    }

    /// <summary>The least CPU microseconds a token, by row and length.</summary>
    private static Dictionary<string, Dictionary<int, double>> Measure(IRecipeContext context)
    {
        var least = Arms.ToDictionary(a => a.Row, _ => Lengths.ToDictionary(l => l, _ => double.PositiveInfinity), StringComparer.Ordinal);
        var models = Arms.ToDictionary(a => a.Row, a => Build(a.Row), StringComparer.Ordinal);
        try
        {
            for (var run = -1; run < Runs; run++)
            {
                foreach (var length in Lengths)
                {
                    context.Note(run < 0 ? $"Warming up at length {length}." : $"Round {run + 1} of {Runs}, length {length}.");
                    foreach (var (row, model) in models)
                    {
                        context.Cancellation.ThrowIfCancellationRequested();
                        var time = Step(model, length);
                        if (run >= 0)
                            least[row][length] = Math.Min(least[row][length], time);
                    }
                }
            }
        }
        finally
        {
            foreach (var model in models.Values)
                model.Dispose();
        }
        return least;
    }

    private static TokenModel Build(string row)
    {
        manual_seed(1);
        var implementation = row.EndsWith("-loop", StringComparison.Ordinal) ? RnnImplementation.Loop : RnnImplementation.Fused;
        IModelArchitecture architecture = row.Split('-')[0] switch
        {
            "mingru" => new MinGruArchitecture(),
            "minlstm" => new MinLstmArchitecture(),
            "gru" => new GruArchitecture(),
            _ => new LstmArchitecture(),
        };
        ModelConfig config = architecture.Presets["default"] switch
        {
            MinGruConfig c => c with { VocabSize = 64, LayerCount = 1 },
            MinLstmConfig c => c with { VocabSize = 64, LayerCount = 1 },
            GruConfig c => c with { VocabSize = 64, LayerCount = 1, Implementation = implementation },
            LstmConfig c => c with { VocabSize = 64, LayerCount = 1, Implementation = implementation },
            var other => other,
        };
        return (TokenModel)architecture.CreateModel(config, new BuildContext());
    }

    /// <returns>CPU microseconds a token.</returns>
    private static double Step(TokenModel model, int length)
    {
        using var scope = NewDisposeScope();
        var ids = randint(model.VocabSize, [TokensAStep / length, length], int64);
        using var batch = new TokenBatch(ids, arange(TokensAStep, int64), ids.reshape(-1));
        model.zero_grad();
        var before = Environment.CpuUsage.TotalTime;
        Gradients.Backward(model.TrainingLoss(batch));
        return (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / TokensAStep;
    }

    private static string Words(IReadOnlyDictionary<int, double> times) =>
        string.Join(", ", times.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Value:F2} µs a token at {t.Key:N0}")));
}
