using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.Recipes;
using Zoo.Reports;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Recipes;

/// <summary>Time of quantised attention against libtorch's fused attention, by length: on a CPU, and on a card where there is one, as in the paper's figures 6 to 9.</summary>
/// <remarks>
/// One sequence, 8 heads of 64, causal, standard normal inputs, one thread. CPU time in this process, the least of the runs, quantisation
/// included (the paper leaves it out); backends take turns, so that a busy moment hits all of them.
/// </remarks>
internal sealed class SpeedRecipe : IRecipe
{
    private const long Heads = 8, HeadDim = 64;
    private const string Ours = "sage_attention";

    private static readonly int[] QuickLengths = [1024, 2048, 4096, 8192, 16384];
    private static readonly int[] FullLengths = [1024, 2048, 4096, 8192, 16384, 32768];

    private static readonly Dictionary<int, double> Claims = new() { [1024] = 1.7, [4096] = 1.6 };

    private readonly int[]? _lengths;

    /// <summary>The recipe.</summary>
    /// <param name="lengths">Of its sequences; for tests, instead of the scale's.</param>
    public SpeedRecipe(int[]? lengths = null) => _lengths = lengths;

    public RecipeInfo Info { get; } = new("sage-speed", "Quantised attention against libtorch's fused attention by length, on a CPU and on a card",
        "Zhang et al. 2024, SageAttention2, arXiv:2411.10958, table 9: 1.4 to 3.1 times FlashAttention-2 on cards")
    {
        Claim = "On one thread, quantised attention takes less CPU time than the faster of libtorch's fp32 and bf16 fused attention at every length: at 1,024 " +
            "tokens 1.7 times less at least, at 4,096 1.6 times. On a card, 2.6 times less than libtorch's fused attention in bf16.",
        DefaultSeeds = 1,
    };

    public void Run(IRecipeContext context)
    {
        var lengths = _lengths ?? (context.Scale == RecipeScale.Full ? FullLengths : QuickLengths);
        var backends = SageAttentionOp.Instance.Baselines.Select(b => (b.Name, b.Run)).Prepend((Name: Ours, Run: Quantised)).ToList();
        var rate = Float32Rate();
        var least = Measure(context, lengths, backends);
        double Floor(int length) => 2 * HeadDim * Heads * length * (length + 1.0) / 2 * (1 / (4 * rate) + 1 / (2 * rate)) * 1e-6;
        foreach (var length in lengths)
        {
            var (fastest, theirs) = backends.Skip(1).Select(b => (b.Name, Time: least[b.Name][length])).MinBy(b => b.Time);
            var speedup = theirs / least[Ours][length];
            var claim = Claims.GetValueOrDefault(length, 1);
            context.Report(new RecipeRow(
                string.Create(CultureInfo.InvariantCulture, $"length {length:N0}"), "speedup_over_libtorch",
                speedup >= claim ? RecipeVerdict.ScaledEvidence : RecipeVerdict.NotReproduced,
                string.Create(CultureInfo.InvariantCulture,
                    $"Claimed: at least {claim}. {least[Ours][length]:F1} ms of CPU time against {theirs:F1} of {fastest}; {Heads} heads of {HeadDim}, causal, one thread, quantisation included. ") +
                string.Create(CultureInfo.InvariantCulture,
                    $"{least[Ours][length] / Floor(length):F1} times the floor of the two products, {Floor(length):F1} ms: at four times (8 bits) and twice (16 bits) the {rate:F0} GFLOP/s that libtorch's float32 product reaches here."))
            {
                Ours = [speedup],
            });
        }
        context.Attach(new PlotItem("Causal attention: CPU time of one thread", "tokens", "milliseconds",
            [.. backends.Select(b => new PlotCurve(b.Name, [.. lengths.Select(l => (double)l)], [.. lengths.Select(l => least[b.Name][l])]))])
        {
            LogX = true,
            LogY = true,
        });
        context.Attach(new PlotItem("Products a second", "tokens", "giga-operations of the two products a second",
            [.. backends.Select(b => new PlotCurve(
                b.Name, [.. lengths.Select(l => (double)l)], [.. lengths.Select(l => 4 * HeadDim * Heads * l * (l + 1.0) / 2 / least[b.Name][l] / 1e6)]))])
        {
            LogX = true,
        });
        CardSpeed.Run(context);
    }

    /// <summary>GFLOP/s of libtorch's float32 product on one thread, by CPU time: the best of some.</summary>
    private static double Float32Rate()
    {
        const int Size = 512, Runs = 8;
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var threads = get_num_threads();
        try
        {
            set_num_threads(1);
            var (a, b) = (ones(Size, Size), ones(Size, Size));
            var best = double.PositiveInfinity;
            for (var run = 0; run < Runs; run++)
            {
                var before = Environment.CpuUsage.TotalTime;
                a.mm(b).Dispose();
                var time = (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;
                best = time > 0 ? Math.Min(best, time) : best;
            }
            return 2.0 * Size * Size * Size / best * 1e-6;
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    /// <summary>The least CPU milliseconds, by backend and length.</summary>
    private static Dictionary<string, Dictionary<int, double>> Measure(
        IRecipeContext context, int[] lengths, List<(string Name, Func<NamedTensors, OpOptions, NamedTensors> Run)> backends)
    {
        var least = backends.ToDictionary(b => b.Name, _ => lengths.ToDictionary(l => l, _ => double.PositiveInfinity), StringComparer.Ordinal);
        var (ownThreads, torchThreads) = (WorkShare.Threads, get_num_threads());
        try
        {
            WorkShare.Threads = 1;
            set_num_threads(1);
            foreach (var length in lengths)
            {
                using var scope = NewDisposeScope();
                manual_seed(1);
                var inputs = new NamedTensors(new[] { "q", "k", "v" }.Select(name => KeyValuePair.Create(name, randn(1, Heads, length, HeadDim))));
                var runs = length <= 1024 ? 12 : length <= 4096 ? 5 : 2;
                for (var run = length <= 4096 ? -1 : 0; run < runs; run++)      // long ones are warm from the others
                {
                    context.Note(string.Create(CultureInfo.InvariantCulture, $"{length:N0} tokens, {(run < 0 ? "warming up" : $"round {run + 1} of {runs}")}."));
                    foreach (var (name, attend) in backends)
                    {
                        context.Cancellation.ThrowIfCancellationRequested();
                        var time = Time(attend, inputs);
                        if (run >= 0)
                            least[name][length] = Math.Min(least[name][length], time);
                    }
                }
            }
        }
        finally
        {
            WorkShare.Threads = ownThreads;
            set_num_threads(torchThreads);
        }
        return least;
    }

    private static double Time(Func<NamedTensors, OpOptions, NamedTensors> attend, NamedTensors inputs)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var before = Environment.CpuUsage.TotalTime;
        attend(inputs, new OpOptions(new JsonObject { ["is_causal"] = true }));
        return (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;
    }

    private static NamedTensors Quantised(NamedTensors inputs, OpOptions options) =>
        SageAttentionOp.Instance.Invoke(inputs, options, KernelChoice.Parse(KernelChoice.Cpu)).Outputs;
}
