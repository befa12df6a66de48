using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>Softmax attention, softmax(q kᵀ · scale) v per head, causal unless it is told otherwise; several query heads may share a key head.</summary>
/// <remarks>
/// Vaswani et al. 2017, eq. 1; grouped heads of Ainslie et al. 2023. The weights are never all in memory (Dao et al. 2022). README.md beside this
/// file derives the backward.
/// </remarks>
public sealed class Attention : Op
{
    /// <summary>The op; it holds no state.</summary>
    public static Attention Instance { get; } = new();

    private Attention()
    {
    }

    /// <inheritdoc/>
    public override string Name => "attention";

    /// <inheritdoc/>
    public override string Title => "Softmax attention, causal, with grouped heads";

    /// <summary>
    /// q, [batch, time, head, dim]; k and v, [batch, key, key head, dim]. Heads are a multiple of key heads: head h reads key head h / (heads / key
    /// heads). There are at least as many keys as times, and the last query stands at the last key.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
        [new("q", "B", "L", "H", "D"), new("k", "B", "N", "G", "D"), new("v", "B", "N", "G", "D")];

    /// <summary>causal: whether a query sees only keys up to its own (default true); scale: factor on the scores, 1/√dim where it is not given.</summary>
    public override IReadOnlyList<string> Options { get; } = ["causal", "scale"];

    /// <summary>y, of the shape of q.</summary>
    public override IReadOnlyList<string> Outputs { get; } = ["y"];

    /// <inheritdoc/>
    public override IReadOnlyList<OpKernel> Kernels { get; } = [new AttentionCpu(), new AttentionCuda()];

    /// <inheritdoc/>
    public override IReadOnlyList<OpBaseline> Baselines { get; } = [new("libtorch-fp32", Libtorch)];

    /// <summary>Attends.</summary>
    /// <param name="q">[batch, time, head, dim].</param>
    /// <param name="k">[batch, key, key head, dim].</param>
    /// <param name="v">[batch, key, key head, dim].</param>
    /// <param name="causal">Whether a query sees only keys up to its own.</param>
    /// <param name="kernels">Which backend is wanted; the best there is where null.</param>
    /// <returns>Of the shape of <paramref name="q"/>.</returns>
    /// <exception cref="ShapeException">Shapes do not fit.</exception>
    public static Tensor Apply(Tensor q, Tensor k, Tensor v, bool causal = true, KernelChoice? kernels = null)
    {
        var options = causal ? OpOptions.None : new OpOptions(new JsonObject { ["causal"] = false });
        return Instance.Invoke(new() { ["q"] = q, ["k"] = k, ["v"] = v }, options, kernels ?? KernelChoice.Auto).Outputs["y"];
    }

    /// <summary>Two products over the pairs that are seen, one exponential a pair; backward five more and another exponential.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double queries = call.Size("L"), keys = call.Size("N"), heads = call.Size("B") * call.Size("H"), dim = call.Size("D");
        var pairs = heads * (IsCausal(call.Options) ? queries * (keys - queries) + queries * (queries + 1) / 2 : queries * keys);
        var arrays = heads * queries * dim * 2 + call.Size("B") * call.Size("G") * keys * dim * 2;
        return backward
            ? new OpCost(Bytes: 12 * arrays, Flops: 14 * pairs * dim, Exponentials: 2 * pairs)
            : new OpCost(Bytes: 4 * arrays, Flops: 4 * pairs * dim, Exponentials: pairs);
    }

    /// <summary>As many keys as queries, and as many key heads as heads.</summary>
    public override IReadOnlyDictionary<string, string> ImpliedSizes { get; } = new Dictionary<string, string> { ["N"] = "L", ["G"] = "H" };

    /// <summary>More keys than queries, and two query heads on each key head.</summary>
    public override long? ExampleSize(string axis) => axis switch { "L" => 5, "N" => 7, "H" => 4, "G" => 2, _ => null };

    internal static bool IsCausal(OpOptions options) => options.Get("causal", true);

    internal static double Scale(OpCall call) => call.Options.Get("scale", 1 / Math.Sqrt(call.Size("D")));

    /// <inheritdoc/>
    protected override void Check(OpCall call)
    {
        if (call.Size("G") == 0 || call.Size("H") % call.Size("G") != 0)
            throw new ShapeException($"{Name}: 'q' has {call.Size("H")} heads and 'k' {call.Size("G")}; the first must be a multiple of the second.");
        if (IsCausal(call.Options) && call.Size("N") < call.Size("L"))
            throw new ShapeException($"{Name}: there are {call.Size("L")} queries and {call.Size("N")} keys; causal attention needs a key at each query's place.");
        if (call.Size("N") == 0 && call.Size("L") > 0)
            throw new ShapeException($"{Name}: 'k' is {Shape.Describe(call.Inputs["k"].shape)}; a query needs at least one key.");
        if (!double.IsFinite(Scale(call)))
            throw new ShapeException($"{Name}: 'scale' is {Scale(call)}; it must be finite, and heads must not be empty.");
    }

    /// <inheritdoc/>
    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (inputs["q"], inputs["k"], inputs["v"]);
        var (queries, keys, group) = (q.shape[1], k.shape[1], q.shape[2] / k.shape[2]);
        using Scalar scale = options.Get("scale", 1 / Math.Sqrt(q.shape[3]));
        var grouped = q.unflatten(2, [k.shape[2], group]);                              // [batch, time, key head, member, dim]
        var scores = einsum("blgmd,bngd->bgmln", grouped, k) * scale;
        if (IsCausal(options))
        {
            using Scalar never = double.NegativeInfinity;
            var hidden = ones([queries, keys], ScalarType.Bool, q.device).triu(keys - queries + 1);
            scores = scores.masked_fill(hidden, never);
        }
        var y = einsum("bgmln,bngd->blgmd", scores.softmax(-1), v);
        return new() { ["y"] = y.flatten(2, 3).MoveToOuterDisposeScope() };
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call) =>
        [new("y", call.Size("B"), call.Size("L"), call.Size("H"), call.Size("D"))];

    private static NamedTensors Libtorch(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var group = inputs["q"].shape[2] / inputs["k"].shape[2];
        var (q, k, v) = (inputs["q"].transpose(1, 2), Heads("k"), Heads("v"));
        var y = nn.functional.scaled_dot_product_attention(q, k, v, is_casual: IsCausal(options));
        return new() { ["y"] = y.transpose(1, 2).MoveToOuterDisposeScope() };

        Tensor Heads(string name)
        {
            var heads = inputs[name].transpose(1, 2);
            return group == 1 ? heads : heads.repeat_interleave(group, dim: 1);
        }
    }
}
