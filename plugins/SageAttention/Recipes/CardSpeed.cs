using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Kernels;
using Zoo.Recipes;
using Zoo.Reports;
using Zoo.SageAttention.Ops.Sage;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Recipes;

/// <summary>The same on a card: the whole op, quantisation included, against libtorch's fused attention in bf16, which has its inputs in bf16 already.</summary>
internal static class CardSpeed
{
    private const long Batch = 4, Heads = 16;
    private const double PaperOnHopper = 2.6;
    private const double SecondsOfMeasurement = 0.1;

    private static readonly int[] Lengths = [1024, 2048, 4096, 8192, 16384];

    /// <summary>Reports a row for each width of heads, length, and with and without causality; or one that says why there is none.</summary>
    public static void Run(IRecipeContext context)
    {
        if (!cuda.is_available())
        {
            context.Report(new RecipeRow("on a card", "speedup_over_libtorch", RecipeVerdict.NotAttempted,
                "libtorch finds no CUDA card here; on a machine that has one, the same command measures it."));
            return;
        }
        Run(context, Measure);
    }

    /// <summary>The rows and plots of all sizes.</summary>
    /// <param name="context">Takes them.</param>
    /// <param name="measure">Milliseconds of a call, ours and libtorch's, for a width of heads, a length, and with or without causality.</param>
    internal static void Run(IRecipeContext context, Func<long, int, bool, (double Ours, double Theirs)> measure)
    {
        foreach (var headDim in (long[])[64, 128])
        {
            foreach (var causal in (bool[])[false, true])
            {
                var (ours, theirs) = (new List<double>(), new List<double>());
                foreach (var length in Lengths)
                {
                    context.Cancellation.ThrowIfCancellationRequested();
                    context.Note(string.Create(CultureInfo.InvariantCulture, $"On the card: {length:N0} tokens, heads of {headDim}{(causal ? ", causal" : "")}."));
                    var (own, other) = measure(headDim, length, causal);
                    ours.Add(own);
                    theirs.Add(other);
                    context.Report(new RecipeRow(
                        string.Create(CultureInfo.InvariantCulture, $"on a card, heads of {headDim}, length {length:N0}{(causal ? ", causal" : "")}"), "speedup_over_libtorch",
                        other >= PaperOnHopper * own ? RecipeVerdict.Reproduced : RecipeVerdict.NotReproduced,
                        string.Create(CultureInfo.InvariantCulture,
                            $"Claimed: {PaperOnHopper} on Hopper, quantisation not counted. Here it is: {own:F3} ms from float32 against {other:F3} of libtorch's fused attention from bf16, batch {Batch}, {Heads} heads."))
                    {
                        Paper = PaperOnHopper,
                        Ours = [other / own],
                    });
                }
                context.Attach(new PlotItem($"On a card: {(causal ? "causal attention" : "attention")}, heads of {headDim}", "tokens", "milliseconds",
                    [
                        new PlotCurve("sage_attention", [.. Lengths.Select(l => (double)l)], [.. ours]),
                        new PlotCurve("libtorch-bf16", [.. Lengths.Select(l => (double)l)], [.. theirs]),
                    ])
                {
                    LogX = true,
                    LogY = true,
                });
            }
        }
    }

    /// <summary>Milliseconds of a call, ours and libtorch's: the least of three rounds, in each of which calls follow each other without a wait.</summary>
    private static (double Ours, double Theirs) Measure(long headDim, int length, bool causal)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        manual_seed(1);
        var inputs = new NamedTensors(new[] { "q", "k", "v" }.Select(name => KeyValuePair.Create(name, randn(Batch, Heads, length, headDim, device: CUDA))));
        var (q, k, v) = (Half("q"), Half("k"), Half("v"));
        var options = new OpOptions(new JsonObject { ["is_causal"] = causal });
        var choice = KernelChoice.Parse(KernelChoice.Cuda);
        var (ours, theirs) = (double.PositiveInfinity, double.PositiveInfinity);
        for (var round = 0; round < 3; round++)
        {
            ours = Math.Min(ours, Time(() => SageAttentionOp.Instance.Invoke(inputs, options, choice)));
            theirs = Math.Min(theirs, Time(() => nn.functional.scaled_dot_product_attention(q, k, v, is_casual: causal)));
        }
        return (ours, theirs);

        Tensor Half(string name) => inputs[name].to(ScalarType.BFloat16);
    }

    private static double Time(Action work)
    {
        var once = Stopwatch.StartNew();
        Calls(1);
        var calls = (int)Math.Clamp(SecondsOfMeasurement / once.Elapsed.TotalSeconds, 3, 100);
        var clock = Stopwatch.StartNew();
        Calls(calls);
        return clock.Elapsed.TotalMilliseconds / calls;

        void Calls(int count)
        {
            for (var call = 0; call < count; call++)
            {
                using var inner = NewDisposeScope();
                work();
            }
            cuda.synchronize();
        }
    }
}
