using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Quantised attention on a card: scores in s8 by tensor cores, the second product in FP8 on sm_89 and later, in 16 bits before.</summary>
internal sealed class SageCuda : CudaKernel
{
    private const int QuantizeThreads = 256;
    private const int AttentionThreads = 128;
    private const int TileQueries = 128;
    private const int TileKeys = 64;
    private const int Channels = 32;
    private const int WholeTokens = 16;         // of the mean of FP8 values
    private const int LeastOfFp8 = 89;

    public override string SourceName => "Sage.cu";

    protected override string? RejectCall(OpCall call, ICudaDevice device)
    {
        var settings = SageAttentionOp.SettingsOf(call);
        return call.Size("B") * call.Size("H") > ushort.MaxValue
                ? $"batch times heads is {call.Size("B") * call.Size("H")}; the cuda backend takes at most {ushort.MaxValue}"
            : settings.SecondProduct == SecondProduct.E4M3 && device.Architecture < LeastOfFp8
                ? $"'pv' is FP8 and {device.Name} is sm_{device.Architecture}; FP8 products need sm_{LeastOfFp8}"
            : settings.SecondProduct is SecondProduct.Float32 or SecondProduct.E5M2 or SecondProduct.Int8
                ? "'pv' must be auto, fp8, fp16 or bf16 for the cuda backend"
            : settings.Accumulator != Accumulator.Float32 ? "'pv_accum' is emulated by the reference; a card's sums are what they are"
            : null;
    }

    protected override void Forward(OpCall call, KernelArrays arrays, CudaLauncher cuda)
    {
        var settings = SageAttentionOp.SettingsOf(call);
        var (batch, heads, keyHeads) = (call.Count("B"), call.Count("H"), call.Count("G"));
        var (queries, keys, dims) = (call.Count("L"), call.Count("N"), call.Count("D"));
        if (keys == 0)
        {
            cuda.Clear(arrays["o"]);            // nothing is seen
            cuda.Clear(arrays["v_scale"]);
        }
        var paddedDims = dims <= 64 ? 64 : 128;
        var paddedKeys = Whole(keys, TileKeys);
        var blocks = CudaSize.Pieces(queries, QuantizedInputs.TokensOfMean);
        var product = settings.SecondProduct != SecondProduct.Auto ? settings.SecondProduct
            : cuda.Device.Architecture >= LeastOfFp8 ? SecondProduct.E4M3 : SecondProduct.BFloat16;

        var keyMeans = settings.SmoothK && keys > 0 ? Output("km", (long)batch * keyHeads * dims) : default;
        if (keyMeans.IsPresent)
            Mean(arrays["k"], keyMeans, batch * keyHeads, keys, keys, keys);
        var queryMeans = settings.SmoothQ ? Output("qm", (long)batch * heads * blocks * dims) : default;
        if (queryMeans.IsPresent)
            Mean(arrays["q"], queryMeans, batch * heads, queries, QuantizedInputs.TokensOfMean, QuantizedInputs.TokensOfMean);
        var (q, queryScales) = Quantize(
            "q", queryMeans, batch * heads, queries, queries, blocks, TokenGroups.OfQueries(settings.Granularity, settings.Tiles, queries),
            settings.QueryFactor, settings.ScoreFactor);
        var (k, keyScales) = Quantize(
            "k", keyMeans, batch * keyHeads, keys, paddedKeys, 1, TokenGroups.OfKeys(settings.Granularity, settings.Tiles, keys), 1, 1);
        if (keys == 0)
            return;
        var correction = queryMeans.IsPresent ? cuda.Scratch(Math.Max(1, (long)batch * heads * blocks * paddedKeys)) : default;
        if (correction.IsPresent)
        {
            cuda.Launch("sage_correction", new CudaSize(paddedKeys / TileKeys, blocks, batch * heads), QuantizeThreads, 0,
                queryMeans, arrays["k"], keyMeans, correction, arrays["delta_s"], keys, paddedKeys, heads, keyHeads, dims, blocks);
        }

        var valueMeans = settings.SmoothV ? Output("vm", (long)batch * keyHeads * dims) : default;
        if (valueMeans.IsPresent)
            Mean(arrays["v"], valueMeans, batch * keyHeads, keys, keys, settings.SecondProduct == SecondProduct.E4M3 ? Whole(keys, WholeTokens) : keys);
        KernelArray values, valueScales = default;
        if (product == SecondProduct.E4M3)
        {
            values = cuda.Scratch(Math.Max(1, (long)batch * keyHeads * paddedDims * paddedKeys / 4));
            valueScales = cuda.Scratch(Math.Max(1, (long)batch * keyHeads * paddedDims));
            cuda.Launch("sage_values_e4m3", new CudaSize(paddedDims / Channels, batch * keyHeads), QuantizeThreads, 0,
                arrays["v"], valueMeans, values, arrays["v_fp8"], arrays["v_scale"], valueScales, keys, paddedKeys, dims, paddedDims, (float)settings.LargestValue);
        }
        else
        {
            values = cuda.Scratch(Math.Max(1, (long)batch * keyHeads * keys * paddedDims / 2));
            cuda.Launch("sage_values_16", new CudaSize(CudaSize.Pieces((long)keys * paddedDims / 2, QuantizeThreads), batch * keyHeads), QuantizeThreads, 0,
                arrays["v"], valueMeans, values, keys, dims, paddedDims, product == SecondProduct.BFloat16 ? 1 : 0);
        }
        var kind = product switch { SecondProduct.E4M3 => "e4m3", SecondProduct.Float16 => "fp16", _ => "bf16" };
        cuda.Launch($"sage_attention_{kind}_{paddedDims}", new CudaSize(CudaSize.Pieces(queries, TileQueries), batch * heads), AttentionThreads,
            SharedBytes(product, paddedDims),
            q, k, values, queryScales, keyScales, correction, valueScales, valueMeans, arrays["o"], queries, keys, paddedKeys, heads, keyHeads, dims, blocks,
            settings.Causal ? 1 : 0, settings.CorrectionFactor);

        KernelArray Output(string name, long count) => arrays[name].IsPresent ? arrays[name] : cuda.Scratch(Math.Max(1, count));

        void Mean(KernelArray x, KernelArray means, int rows, int tokens, int tokensOfPiece, int divisor)
        {
            var pieces = CudaSize.Pieces(tokens, tokensOfPiece);
            cuda.Launch("sage_mean", new CudaSize(pieces, rows), QuantizeThreads, 0, x, means, tokens, dims, tokensOfPiece, pieces, divisor);
        }

        (KernelArray Integers, KernelArray Scales) Quantize(
            string name, KernelArray means, int rows, int tokens, int paddedTokens, int meanPieces, TokenGroups groups, float factor, float tokenFactor)
        {
            // A scale for each token is one for each of 8 in a tile: so that every warp has work.
            var (tile, period) = groups.Tile == 1 ? (8, 8) : (groups.Tile, groups.Period);
            var count = checked((int)groups.Count(tokens));
            var integers = cuda.Scratch(Math.Max(1, (long)rows * tokens * paddedDims), sizeof(sbyte));
            var scales = cuda.Scratch(Math.Max(1, (long)rows * paddedTokens));
            cuda.Launch("sage_quantize", new CudaSize(CudaSize.Pieces(count, period / groups.Run), rows), QuantizeThreads, 0,
                arrays[name], means, arrays[name + "_int8"], arrays[name + "_scale"], integers, scales, tokens, paddedTokens, dims, paddedDims, meanPieces,
                tile, period, groups.Run, count, factor, (float)settings.Rule.Levels, (int)settings.Rule.Scale, settings.Rule.HalfToEven ? 1 : 0, tokenFactor);
            return (integers, scales);
        }
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) =>
        throw new NotSupportedException("sage_attention has no gradient.");

    private static int Whole(int count, int of) => (count + of - 1) / of * of;

    /// <summary>As the .cu lays it out: queries, and two stages of keys, values, scales and corrections.</summary>
    private static int SharedBytes(SecondProduct product, int dims) =>
        TileQueries * dims + 2 * (TileKeys * dims + TileKeys * dims * (product == SecondProduct.E4M3 ? 1 : 2) + 2 * TileKeys * sizeof(float));
}
