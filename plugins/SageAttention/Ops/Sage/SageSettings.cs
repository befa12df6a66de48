using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Kernels;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>The options of a call of <see cref="SageAttentionOp"/>, read and checked.</summary>
internal sealed record SageSettings
{
    private const string Name = SageAttentionOp.OpName;
    private const string Layout = "HND";
    private const double Log2E = 1.44269504;    // upstream's digits

    private static readonly Dictionary<string, Granularity> Granularities = new(StringComparer.Ordinal)
    {
        ["per_thread"] = Granularity.PerThread,
        ["per_warp"] = Granularity.PerWarp,
        ["per_block"] = Granularity.PerBlock,
        ["per_token"] = Granularity.PerToken,
        ["per_tensor"] = Granularity.PerTensor,
    };

    private static readonly Dictionary<string, SecondProduct> Products = new(StringComparer.Ordinal)
    {
        ["auto"] = SecondProduct.Auto,
        ["fp32"] = SecondProduct.Float32,
        ["fp16"] = SecondProduct.Float16,
        ["bf16"] = SecondProduct.BFloat16,
        ["fp8"] = SecondProduct.E4M3,
        ["e4m3"] = SecondProduct.E4M3,
        ["e5m2"] = SecondProduct.E5M2,
        ["int8"] = SecondProduct.Int8,
    };

    private static readonly Dictionary<string, Accumulator> Accumulators = new(StringComparer.Ordinal)
    {
        ["fp32"] = Accumulator.Float32,
        ["fp22"] = Accumulator.Fp22,
        ["fp22+fp32"] = Accumulator.Fp22Flushed,
    };

    /// <summary>Names of the options, most of them upstream's.</summary>
    public static IReadOnlyList<string> Options { get; } =
    [
        "is_causal", "sm_scale", "qk_quant_gran", "qk_bits", "smooth_k", "smooth_q", "smooth_v", "pv", "pv_accum", "v_scale_max",
        "BLKQ", "WARPQ", "BLKK", "WARPK", "q_prescale", "scale_rule", "rounding", "tensor_layout", "return_quantized",
    ];

    /// <summary>Whether a query sees only keys up to its own; the last query stands at the last key.</summary>
    public bool Causal { get; private init; }

    /// <summary>Factor on the scores; 1/√dim unless it is given.</summary>
    public double Scale { get; private init; }

    /// <summary>Which tokens share a scale.</summary>
    public Granularity Granularity { get; private init; }

    /// <summary>Sizes of the tiles that share scales.</summary>
    public Tiles Tiles { get; private init; }

    /// <summary>How queries and keys become integers.</summary>
    public QuantizationRule Rule { get; private init; }

    /// <summary>Whether the mean over tokens is taken off keys: γ(K) of the paper.</summary>
    public bool SmoothK { get; private init; }

    /// <summary>Whether the mean of each block of 128 tokens is taken off queries; what it adds to the scores is added again in float32.</summary>
    public bool SmoothQ { get; private init; }

    /// <summary>Whether the mean over tokens is taken off values, and added to the result.</summary>
    public bool SmoothV { get; private init; }

    /// <summary>How the second product's factors are rounded.</summary>
    public SecondProduct SecondProduct { get; private init; }

    /// <summary>In what the second product is summed.</summary>
    public Accumulator Accumulator { get; private init; }

    /// <summary>To what the largest value of a channel goes in FP8.</summary>
    public double LargestValue { get; private init; }

    /// <summary>What queries are multiplied by before they are quantised: scale · log₂e, or 1, and then the scores are.</summary>
    public float QueryFactor { get; private init; }

    /// <summary>Whether integers, scales and means are outputs, too.</summary>
    public bool ReturnQuantized { get; private init; }

    /// <summary>What scores of quantised queries and keys are multiplied by, after their scales, for a softmax in base 2.</summary>
    public float ScoreFactor => QueryFactor == 1 ? CorrectionFactor : 1;

    /// <summary>What the correction of smoothed queries is multiplied by, for a softmax in base 2.</summary>
    public float CorrectionFactor => (float)(Scale * Log2E);

    /// <summary>Reads a call's options.</summary>
    /// <exception cref="UserException">One is none of what it may be; the message says what.</exception>
    public static SageSettings Of(OpOptions options, long dim)
    {
        var granularity = OneOf(options, "qk_quant_gran", "per_thread", Granularities);
        var bits = options.Get("qk_bits", 8);
        if (bits is not (8 or 4))
            throw new UserException($"{Name}: 'qk_bits' is {bits}; it must be 8 or 4.");
        if (options.Get("tensor_layout", Layout) is var layout && layout != Layout)
            throw new UserException($"{Name}: 'tensor_layout' is {layout}; q, k and v are [batch, head, token, dim], {Layout}. Transpose them.");
        var scale = options.Get("sm_scale", 1 / Math.Sqrt(dim));
        if (!float.IsFinite((float)scale))
            throw new UserException($"{Name}: 'sm_scale' is {scale}; it must be finite.");
        var product = OneOf(options, "pv", "auto", Products);
        return new()
        {
            Causal = options.Get("is_causal", false),
            Scale = scale,
            Granularity = granularity,
            Tiles = ReadTiles(options, granularity),
            Rule = new(bits, ReadScaleRule(options, granularity), ReadRounding(options, granularity)),
            SmoothK = options.Get("smooth_k", true),
            SmoothQ = options.Get("smooth_q", false),
            SmoothV = options.Get("smooth_v", false),
            SecondProduct = product,
            Accumulator = OneOf(options, "pv_accum", "fp32", Accumulators),
            LargestValue = ReadLargestValue(options),
            QueryFactor = ReadQueryFactor(options, granularity, scale),
            ReturnQuantized = options.Get("return_quantized", false),
        };
    }

    private static T OneOf<T>(OpOptions options, string key, string fallback, Dictionary<string, T> names)
    {
        var text = options.Get(key, fallback);
        return names.TryGetValue(text, out var value) ? value
            : throw new UserException($"{Name}: '{key}' is {text}; it must be one of {string.Join(", ", names.Keys)}.{Names.DidYouMean(text, names.Keys)}");
    }

    private static Tiles ReadTiles(OpOptions options, Granularity granularity)
    {
        var usual = Tiles.Default;
        var tiles = new Tiles(Size("BLKQ", usual.BlockQ), Size("WARPQ", usual.WarpQ), Size("BLKK", usual.BlockK), Size("WARPK", usual.WarpK));
        if (granularity is Granularity.PerWarp or Granularity.PerThread)
            RequireMultiple("BLKQ", tiles.BlockQ, "WARPQ", tiles.WarpQ);
        if (granularity == Granularity.PerThread)
        {
            RequireMultiple("BLKK", tiles.BlockK, "WARPK", tiles.WarpK);
            if (tiles.WarpQ % 8 != 0 || tiles.WarpK % 8 != 0)
                throw new UserException($"{Name}: 'WARPQ' is {tiles.WarpQ} and 'WARPK' {tiles.WarpK}; per thread, both must be multiples of 8.");
        }
        return tiles;

        int Size(string key, int fallback)
        {
            var size = options.Get(key, fallback);
            return size is >= 1 and <= 1 << 20 ? size : throw new UserException($"{Name}: '{key}' is {size}; it must be between 1 and {1 << 20} tokens.");
        }

        static void RequireMultiple(string key, int size, string part, int partSize)
        {
            if (size % partSize != 0)
                throw new UserException($"{Name}: '{key}' is {size} and '{part}' {partSize}; the first must be a multiple of the second.");
        }
    }

    /// <summary>By its words: a maximum with 10⁻⁷, a sum with it, or neither; as the granularity's kernel has it where it is not given.</summary>
    private static ScaleRule ReadScaleRule(OpOptions options, Granularity granularity)
    {
        if (options.Get("scale_rule", "") is not { Length: > 0 } text)
            return granularity switch { Granularity.PerBlock => ScaleRule.Plain, Granularity.PerWarp => ScaleRule.Floored, _ => ScaleRule.AddedEpsilon };
        var plain = text.Replace(" ", "", StringComparison.Ordinal);
        if (!plain.Contains("max", StringComparison.Ordinal) || !plain.Contains('/'))
            throw new UserException($"{Name}: 'scale_rule' is {text}; it must be absmax/127, absmax/127 + 1e-7 or max(absmax, 1e-7)/127 (INT4: 7).");
        return plain.Contains('+') ? ScaleRule.AddedEpsilon : plain.Contains(",1e-", StringComparison.Ordinal) || plain.Contains("1e-7,", StringComparison.Ordinal)
            || plain.Contains(",0.0000001", StringComparison.Ordinal) ? ScaleRule.Floored : ScaleRule.Plain;
    }

    /// <summary>By its words.</summary>
    private static bool ReadRounding(OpOptions options, Granularity granularity)
    {
        if (options.Get("rounding", "") is not { Length: > 0 } text)
            return granularity == Granularity.PerWarp;
        var even = text.Contains("even", StringComparison.Ordinal) || text.Contains("rint", StringComparison.Ordinal) || text.Contains("rni", StringComparison.Ordinal);
        return even || text.Contains("away", StringComparison.Ordinal) || text.Contains("trunc", StringComparison.Ordinal)
            ? even
            : throw new UserException($"{Name}: 'rounding' is {text}; it must be half to even or half away from zero.");
    }

    private static double ReadLargestValue(OpOptions options)
    {
        var largest = options.Get("v_scale_max", Float8.E4M3.Largest);
        return largest > 0 && largest <= Float8.E4M3.Largest ? largest
            : throw new UserException($"{Name}: 'v_scale_max' is {largest}; it must be above 0 and at most {Float8.E4M3.Largest}.");
    }

    /// <summary>A number, or the words of upstream's kernel per block; the granularity's own where it is not given.</summary>
    private static float ReadQueryFactor(OpOptions options, Granularity granularity, double scale)
    {
        var prescaled = (float)(scale * Log2E);     // upstream's product is one of doubles
        if (options.Get<JsonNode?>("q_prescale", null) is not { } node)
            return granularity == Granularity.PerBlock ? prescaled : 1;
        var text = node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : node.ToJsonString();
        if (text.Replace(" ", "", StringComparison.Ordinal).StartsWith("sm_scale*1.4426950", StringComparison.Ordinal))
            return prescaled;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var factor) && factor == 1 ? 1
            : throw new UserException($"{Name}: 'q_prescale' is {text}; it must be 1 or sm_scale*1.44269504.");
    }
}
