using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Quantised attention on a card: scores in s8 by tensor cores, the second product in FP8 on sm_89 and later, in 16 bits before.</summary>
internal sealed class SageCuda : CudaKernel
{
    private const int QuantizeThreads = 256;
    private const int CorrectionKeys = 64;
    private const int CorrectionBlocks = 16;
    private const int UniformKeys = 64;         // keys of a thread that may have one factor
    private const int LeastTokensOfPiece = 64;  // of a sum over tokens
    private const int MostPieces = 64;
    private const int FinishDims = 32;
    private const int WholeTokens = 16;         // of the mean of FP8 values
    private const int LeastOfFp8 = 89;

    /// <summary>Tiles of `sage_quantize_` kernels, whose numbers stay in registers.</summary>
    private static readonly int[] TokensOfRegisters = [32, 64, 128];

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
        var product = settings.SecondProduct != SecondProduct.Auto ? settings.SecondProduct
            : cuda.Device.Architecture >= LeastOfFp8 ? SecondProduct.E4M3 : SecondProduct.BFloat16;
        var kernel = AttentionPlan.Of(cuda.Device.Architecture, product, dims);
        var (paddedDims, paddedQueries, paddedKeys) = (kernel.Dims, Whole(queries, kernel.Queries), Whole(keys, kernel.Keys));
        var blocks = CudaSize.Pieces(queries, QuantizedInputs.TokensOfMean);
        var (keyRows, rows) = (batch * keyHeads, batch * heads);

        var keyMeans = settings.SmoothK && keys > 0 ? Output("km", (long)keyRows * dims) : default;
        var valueMeans = settings.SmoothV && keys > 0 ? Output("vm", (long)keyRows * dims) : default;
        var queryMeans = settings.SmoothQ ? Output("qm", (long)rows * blocks * dims) : default;
        var valueScales = product == SecondProduct.E4M3 && keys > 0 ? cuda.Scratch(Math.Max(1, (long)keyRows * paddedDims)) : default;
        var valueFactors = valueScales.IsPresent ? cuda.Scratch(Math.Max(1, (long)keyRows * paddedDims)) : default;
        SurveyKeysAndValues();
        if (queryMeans.IsPresent)
        {
            var sums = cuda.Scratch(Math.Max(1, (long)rows * blocks * dims), sizeof(double));
            Survey(rows, blocks, QuantizedInputs.TokensOfMean, queries, new(arrays["q"], sums), default);
            Finish(sums, queryMeans, rows * blocks, 1, QuantizedInputs.TokensOfMean, default);
        }
        var (q, queryScales) = Quantize(
            "q", queryMeans, rows, queries, paddedQueries, blocks, TokenGroups.OfQueries(settings.Granularity, settings.Tiles, queries),
            settings.QueryFactor, settings.ScoreFactor);
        var keyGroups = TokenGroups.OfKeys(settings.Granularity, settings.Tiles, keys);
        var (k, keyScales) = Quantize("k", keyMeans, keyRows, keys, paddedKeys, 1, keyGroups, 1, 1);
        if (keys == 0)
            return;
        var correction = queryMeans.IsPresent ? cuda.Scratch(Math.Max(1, (long)rows * blocks * paddedKeys)) : default;
        if (correction.IsPresent)
        {
            cuda.Launch("sage_correction", new CudaSize(paddedKeys / CorrectionKeys, CudaSize.Pieces(blocks, CorrectionBlocks), rows), QuantizeThreads, 0,
                queryMeans, arrays["k"], keyMeans, correction, arrays["delta_s"], keys, paddedKeys, heads, keyHeads, dims, blocks);
        }

        var values = cuda.Scratch(Math.Max(1, (long)keyRows * paddedDims * paddedKeys), product == SecondProduct.E4M3 ? sizeof(byte) : sizeof(short));
        if (product == SecondProduct.E4M3)
        {
            cuda.Launch($"sage_values_e4m3_{paddedDims}_{kernel.Keys}", new CudaSize(paddedKeys / kernel.Keys, keyRows), QuantizeThreads, 0,
                arrays["v"], valueMeans, valueFactors, values, arrays["v_fp8"], keys, paddedKeys, dims, IsVector(arrays["v"]));
        }
        else
        {
            cuda.Launch("sage_values_16", new CudaSize(CudaSize.Pieces((long)paddedKeys * paddedDims / 8, QuantizeThreads), keyRows), QuantizeThreads, 0,
                arrays["v"], valueMeans, values, keys, paddedKeys, dims, paddedDims, product == SecondProduct.BFloat16 ? 1 : 0);
        }
        // A factor for all of a thread's keys: groups repeat as a tensor core's threads do, or are whole tiles.
        var uniform = !correction.IsPresent && settings.ScoreFactor >= 0 && keyGroups.Tile > 1
            && (keyGroups.Tile % UniformKeys == 0 || keyGroups.Tile >= keys) && (keyGroups.Period, keyGroups.Run) is (8, 2) or (1, 1);
        cuda.Launch(kernel.Name, new CudaSize(paddedQueries / kernel.Queries, rows), kernel.Threads, kernel.SharedBytes,
            q, k, values, queryScales, keyScales, correction, valueScales, valueMeans, arrays["o"], queries, paddedQueries, keys, paddedKeys, heads, keyHeads, dims, blocks,
            settings.Causal ? 1 : 0, uniform ? 1 : 0, settings.CorrectionFactor);

        KernelArray Output(string name, long count) => arrays[name].IsPresent ? arrays[name] : cuda.Scratch(Math.Max(1, count));

        int IsVector(KernelArray x) => dims % 4 == 0 && x.Pointer % 16 == 0 ? 1 : 0;

        // Sums of keys for their means, of values for theirs, and the extremes of values: one pass over each.
        void SurveyKeysAndValues()
        {
            var piece = Math.Max(LeastTokensOfPiece, Whole(CudaSize.Pieces(keys, MostPieces), LeastTokensOfPiece));
            var pieces = CudaSize.Pieces(keys, piece);
            var count = Math.Max(1, (long)keyRows * pieces * dims);
            SurveyedArray ofKeys = default, ofValues = default;
            if (keyMeans.IsPresent)
                ofKeys = new(arrays["k"], cuda.Scratch(count, sizeof(double)));
            if (valueMeans.IsPresent || valueScales.IsPresent)
            {
                ofValues = new(arrays["v"], valueMeans.IsPresent ? cuda.Scratch(count, sizeof(double)) : default,
                    valueScales.IsPresent ? cuda.Scratch(count) : default, valueScales.IsPresent ? cuda.Scratch(count) : default);
            }
            Survey(keyRows, pieces, piece, keys, ofKeys, ofValues);
            if (ofKeys.Numbers.IsPresent || ofValues.Numbers.IsPresent)
                Finish(ofKeys.Sums, keyMeans, keyRows, pieces, keys, ofValues);
        }

        void Finish(KernelArray sums, KernelArray means, int rowCount, int pieces, int divisor, SurveyedArray ofValues) =>
            cuda.Launch("sage_finish", new CudaSize(rowCount, CudaSize.Pieces(paddedDims, FinishDims), ofValues.Numbers.IsPresent ? 2 : 1), QuantizeThreads, 0,
                sums, means, divisor, ofValues.Sums, ofValues.Most, ofValues.Least, valueMeans,
                settings.SecondProduct == SecondProduct.E4M3 ? Whole(keys, WholeTokens) : keys, valueFactors, valueScales, arrays["v_scale"], dims, paddedDims, pieces,
                keys % WholeTokens != 0 ? 1 : 0, (float)settings.LargestValue);

        void Survey(int rowCount, int pieces, int piece, int tokens, SurveyedArray first, SurveyedArray second)
        {
            if (!first.Numbers.IsPresent)
                (first, second) = (second, default);
            if (!first.Numbers.IsPresent)
                return;
            var isVector = IsVector(first.Numbers) == 1 && (!second.Numbers.IsPresent || IsVector(second.Numbers) == 1);
            cuda.Launch("sage_survey", new CudaSize(pieces, rowCount, second.Numbers.IsPresent ? 2 : 1), QuantizeThreads, 0,
                first.Numbers, first.Sums, first.Most, first.Least, second.Numbers, second.Sums, second.Most, second.Least, tokens, dims, piece, pieces, isVector ? 1 : 0);
        }

        (KernelArray Integers, KernelArray Scales) Quantize(
            string name, KernelArray means, int rowCount, int tokens, int paddedTokens, int meanPieces, TokenGroups groups, float factor, float tokenFactor)
        {
            // A scale for each token is one for each of 8 in a tile: so that every warp has work.
            var (tile, period) = groups.Tile == 1 ? (8, 8) : (groups.Tile, groups.Period);
            var count = checked((int)groups.Count(tokens));
            var integers = cuda.Scratch(Math.Max(1, (long)rowCount * paddedTokens * paddedDims), sizeof(byte));
            var scales = cuda.Scratch(Math.Max(1, (long)rowCount * paddedTokens));
            var (rule, tiles) = (settings.Rule, new CudaSize(CudaSize.Pieces(Math.Max((long)count * tile / (period / groups.Run), paddedTokens), tile), rowCount));
            var fits = Array.Find(TokensOfRegisters, t => tile <= t);
            if (dims == paddedDims && fits > 0 && IsVector(arrays[name]) == 1 && (!means.IsPresent || IsVector(means) == 1))
            {
                cuda.Launch($"sage_quantize_{dims}_{fits}", tiles, 2 * dims, 0,
                    arrays[name], means, arrays[name + "_int8"], arrays[name + "_scale"], integers, scales, tokens, paddedTokens, meanPieces,
                    tile, period, groups.Run, count, factor, (float)rule.Levels, (int)rule.Scale, rule.HalfToEven ? 1 : 0, tokenFactor);
            }
            else
            {
                cuda.Launch("sage_quantize", tiles, QuantizeThreads, 0,
                    arrays[name], means, arrays[name + "_int8"], arrays[name + "_scale"], integers, scales, tokens, paddedTokens, dims, paddedDims, meanPieces,
                    tile, period, groups.Run, count, factor, (float)rule.Levels, (int)rule.Scale, rule.HalfToEven ? 1 : 0, tokenFactor);
            }
            return (integers, scales);
        }
    }

    protected override void Backward(OpCall call, KernelArrays arrays, CudaLauncher cuda) =>
        throw new NotSupportedException("sage_attention has no gradient.");

    private static int Whole(int count, int of) => (count + of - 1) / of * of;

    /// <summary>What `sage_survey` reads, and where its results go; absent what is not wanted.</summary>
    private readonly record struct SurveyedArray(KernelArray Numbers, KernelArray Sums, KernelArray Most = default, KernelArray Least = default);
}
