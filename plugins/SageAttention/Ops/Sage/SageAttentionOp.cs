using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Attention whose scores are products of 8- or 4-bit integers, smoothed so that outliers cost nothing: SageAttention2. Inference only.</summary>
/// <remarks>Zhang et al. 2024, arXiv:2411.10958; rules of thu-ml/SageAttention. README.md beside this file has the mathematics.</remarks>
internal sealed class SageAttentionOp : Op
{
    /// <summary>The widest head.</summary>
    public const int MostDims = 128;

    internal const string OpName = "sage_attention";

    /// <summary>By which its recorded cases go.</summary>
    private const string CaseName = "sage_attention_reference";

    private const double CosineLost = 5e-4;     // by which a backend may miss the accuracy that the integers reach
    private const double ErrorGained = 1.1;

    /// <summary>The op; it holds no state.</summary>
    public static SageAttentionOp Instance { get; } = new();

    private SageAttentionOp()
    {
    }

    public override string Name => OpName;

    public override string Title => "Attention on 8- or 4-bit queries and keys, smoothed (SageAttention2)";

    /// <summary>
    /// q, [batch, head, token, dim]; k and v, [batch, key head, token, dim]. Heads are a multiple of key heads. There is no mask but the causal one:
    /// an argument of that name is refused.
    /// </summary>
    public override IReadOnlyList<OpArgument> Arguments { get; } =
    [
        new("q", "B", "H", "L", "D") { HasGradient = false },
        new("k", "B", "G", "N", "D") { HasGradient = false },
        new("v", "B", "G", "N", "D") { HasGradient = false },
    ];

    public override IReadOnlyList<string> Options => SageSettings.Options;

    /// <summary>o, of the shape of q; with return_quantized also what it was reckoned from, as far as the call uses it.</summary>
    public override IReadOnlyList<string> Outputs { get; } =
        ["o", "q_int8", "q_scale", "k_int8", "k_scale", "km", "qm", "delta_s", "v_fp8", "v_scale", "vm"];

    public override IReadOnlyList<string> CaseNames { get; } = [CaseName];

    public override IReadOnlyList<OpKernel> Kernels { get; } = [new SageAttentionCpu(), new SageCuda()];

    public override bool HasExactGradient => false;

    public override bool WidensHalves => true;

    public override IReadOnlyList<OpBaseline> Baselines { get; } =
        [new("libtorch-fp32", (inputs, options) => Libtorch(inputs, options, ScalarType.Float32)), new("libtorch-bf16", (inputs, options) => Libtorch(inputs, options, ScalarType.BFloat16))];

    public override IReadOnlyDictionary<string, string> ImpliedSizes { get; } = new Dictionary<string, string> { ["N"] = "L", ["G"] = "H" };

    /// <summary>More keys than queries, and two query heads on each key head.</summary>
    public override long? ExampleSize(string axis) => axis switch { "L" => 5, "N" => 7, "H" => 4, "G" => 2, _ => null };

    /// <summary>Scores in 8-bit integers, the second product at twice float32's rate (bf16), one exponential a pair that is seen.</summary>
    public override OpCost Floor(OpCall call, bool backward)
    {
        double queries = call.Size("L"), keys = call.Size("N"), heads = call.Size("B") * call.Size("H"), dim = call.Size("D");
        var unseen = Math.Max(0, queries - keys);       // queries before the first key
        var seenBy = queries - unseen;
        var pairs = heads * (SettingsOf(call).Causal ? seenBy * (keys - seenBy) + seenBy * (seenBy + 1) / 2 : queries * keys);
        var arrays = heads * queries * dim * 2 + call.Size("B") * call.Size("G") * keys * dim * 2;
        return new OpCost(Bytes: 4 * arrays, Flops: 2 * pairs * dim, Exponentials: pairs) { Arithmetic = "bf16", Int8Operations = 2 * pairs * dim };
    }

    /// <summary>The options of a call.</summary>
    public static SageSettings SettingsOf(OpCall call) => SageSettings.Of(call.Options, call.Size("D"));

    /// <summary>
    /// A recorded case holds the integers, scales and means of the call's own options, exact attention as o, and how accurate attention on those
    /// integers is: `emulated` in its config, which the backend's quantised attention must reach but for 5·10⁻⁴ of cosine and a tenth of error.
    /// </summary>
    public override OpCaseResult RunCase(OpCase recorded, KernelChoice choice)
    {
        var config = (JsonObject)recorded.Config.DeepClone();
        config["return_quantized"] = true;
        var options = OptionsIn(config);
        var result = Invoke(recorded.Arguments, options, choice);
        var outputs = result.Outputs;
        var quantised = outputs["o"];
        outputs["o"] = Exact(recorded.Arguments, options, KernelChoice.Parse($"{Attention.Instance.Name}={result.Backend}"));
        return new(outputs) { Problems = [.. Missed(quantised, recorded.Expected.Find("o"), recorded.Config["emulated"])] };
    }

    protected override void Check(OpCall call)
    {
        if (call.Size("D") is var dim && dim is < 1 or > MostDims)
            throw new ShapeException($"{Name}: heads have {dim} dimensions; it takes 1 to {MostDims}.");
        if (call.Size("G") == 0 || call.Size("H") % call.Size("G") != 0)
            throw new ShapeException($"{Name}: 'q' has {call.Size("H")} heads and 'k' {call.Size("G")}; the first must be a multiple of the second.");
        var settings = SettingsOf(call);
        if (settings.Accumulator != Accumulator.Float32 && call.Inputs.Values.Any(t => t.device_type != TorchSharp.DeviceType.CPU || t.dtype == ScalarType.Float64))
            throw new ShapeException($"{Name}: 'pv_accum' other than fp32 is emulated on the CPU, in float32 alone.");
    }

    protected override NamedTensors Reference(NamedTensors inputs, OpOptions options)
    {
        using var scope = NewDisposeScope();
        var settings = SageSettings.Of(options, inputs["q"].shape[3]);
        var quantized = QuantizedInputs.Of(inputs["q"], inputs["k"], inputs["v"], settings);
        var outputs = new NamedTensors { ["o"] = SageReference.Attend(quantized, settings) };
        if (settings.ReturnQuantized)
        {
            foreach (var (name, tensor) in quantized.Named(settings.SecondProduct))
                outputs[name] = tensor;
        }
        foreach (var output in outputs.Values)
            output.MoveToOuterDisposeScope();
        return outputs;
    }

    protected override IReadOnlyList<KernelArraySpec> OutputSpecs(OpCall call)
    {
        var (batch, heads, keyHeads, queries, keys, dim) = (call.Size("B"), call.Size("H"), call.Size("G"), call.Size("L"), call.Size("N"), call.Size("D"));
        var settings = SettingsOf(call);
        var specs = new List<KernelArraySpec> { new("o", batch, heads, queries, dim) { Differentiable = false } };
        if (!settings.ReturnQuantized)
            return specs;
        var blocks = (queries + QuantizedInputs.TokensOfMean - 1) / QuantizedInputs.TokensOfMean;
        Add(true, "q_int8", ScalarType.Int8, batch, heads, queries, dim);
        Add(true, "q_scale", ScalarType.Float32, batch, heads, TokenGroups.OfQueries(settings.Granularity, settings.Tiles, queries).Count(queries));
        Add(true, "k_int8", ScalarType.Int8, batch, keyHeads, keys, dim);
        Add(true, "k_scale", ScalarType.Float32, batch, keyHeads, TokenGroups.OfKeys(settings.Granularity, settings.Tiles, keys).Count(keys));
        Add(settings.SmoothK && keys > 0, "km", ScalarType.Float32, batch, keyHeads, 1, dim);
        Add(settings.SmoothQ, "qm", ScalarType.Float32, batch, heads, blocks, dim);
        Add(settings.SmoothQ, "delta_s", ScalarType.Float32, batch, heads, blocks, keys);
        Add(settings.SecondProduct == SecondProduct.E4M3, "v_fp8", ScalarType.Float32, batch, keyHeads, keys, dim);
        Add(settings.SecondProduct == SecondProduct.E4M3, "v_scale", ScalarType.Float32, batch, keyHeads, dim);
        Add(settings.SmoothV && keys > 0, "vm", ScalarType.Float32, batch, keyHeads, dim);
        return specs;

        void Add(bool used, string name, ScalarType dtype, params long[] shape)
        {
            if (used)
                specs.Add(new(name, shape) { Dtype = dtype, Differentiable = false });
        }
    }

    /// <summary>Attention without quantisation on a backend: the contract's own. Queries before the first key see nothing, and are zero.</summary>
    private static Tensor Exact(NamedTensors inputs, OpOptions options, KernelChoice choice)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (inputs["q"], inputs["k"], inputs["v"]);
        var settings = SageSettings.Of(options, q.shape[3]);
        var blind = settings.Causal ? Math.Max(0, q.shape[2] - k.shape[2]) : 0;
        var seeing = new NamedTensors
        {
            ["q"] = q.narrow(2, blind, q.shape[2] - blind).transpose(1, 2),
            ["k"] = k.transpose(1, 2),
            ["v"] = v.transpose(1, 2),
        };
        var attention = new OpOptions(new JsonObject { ["causal"] = settings.Causal, ["scale"] = settings.Scale });
        var y = Attention.Instance.Invoke(seeing, attention, choice).Outputs["y"].transpose(1, 2);
        return cat([zeros_like(q.narrow(2, 0, blind)), y], 2).MoveToOuterDisposeScope();
    }

    private static IEnumerable<string> Missed(Tensor quantised, Tensor? exact, JsonNode? emulated)
    {
        if (exact is null || emulated is not JsonObject bars || !exact.shape.AsSpan().SequenceEqual(quantised.shape))
            yield break;
        var accuracy = Accuracy.Of(quantised, exact);
        if (Number("cos_sim") is { } cosine && !(accuracy.Cosine >= cosine - CosineLost))
            yield return $"Quantised attention has a cosine similarity of {Text(accuracy.Cosine)} and must reach {Text(cosine)} - {Text(CosineLost)}.";
        if (Number("rel_l1") is { } error && !(accuracy.RelativeL1 <= ErrorGained * error))
            yield return $"Quantised attention has a relative L1 error of {Text(accuracy.RelativeL1)} and may have {Text(ErrorGained)} · {Text(error)}.";

        double? Number(string key) => bars[key] is JsonValue value && value.TryGetValue<double>(out var number) ? number : null;
        static string Text(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
    }

    private static NamedTensors Libtorch(NamedTensors inputs, OpOptions options, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var causal = options.Get("is_causal", false);
        var heads = inputs["q"].shape[1];
        Tensor Of(string name) => QuantizedInputs.OfHeads(inputs[name], heads).to(dtype);
        return new() { ["o"] = nn.functional.scaled_dot_product_attention(Of("q"), Of("k"), Of("v"), is_casual: causal).MoveToOuterDisposeScope() };
    }
}
