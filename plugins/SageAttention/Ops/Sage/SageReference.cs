using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Quantised attention in tensor operations: the definition, with an exact softmax.</summary>
internal static class SageReference
{
    private const int QueriesAtATime = 512;         // scores are held for so many
    private const int KeysOfAProduct = 32;          // of one instruction of a tensor core in FP8: it sums so many, then rounds
    private const uint Fraction13 = 0xFFFF_FC00;    // sign, exponent and 13 bits of a float32's fraction

    /// <summary>Attends.</summary>
    /// <param name="inputs">As attention reads them.</param>
    /// <param name="settings">How.</param>
    /// <returns>[batch, head, token, dim].</returns>
    public static Tensor Attend(QuantizedInputs inputs, SageSettings settings)
    {
        using var scope = NewDisposeScope();
        var (heads, queries, keys) = (inputs.Queries.shape[1], inputs.Queries.shape[2], inputs.Keys.shape[2]);
        var dtype = inputs.Values.dtype;
        var queryScale = TokenGroups.OfQueries(settings.Granularity, settings.Tiles, queries).Spread(inputs.QueryScale, queries);
        var keyScale = TokenGroups.OfKeys(settings.Granularity, settings.Tiles, keys).Spread(inputs.KeyScale, keys);
        var all = new Operands(
            inputs.Queries.to(dtype), queryScale, QuantizedInputs.OfHeads(inputs.Keys.to(dtype), heads), QuantizedInputs.OfHeads(keyScale, heads),
            inputs.Correction, QuantizedInputs.OfHeads(inputs.Values, heads), OfHeads(inputs.ValueScale), OfHeads(inputs.ValueMean));
        var parts = new List<Tensor>();
        for (long first = 0; first < queries; first += QueriesAtATime)
        {
            using var inner = NewDisposeScope();
            parts.Add(Rows(all, settings, first, Math.Min(QueriesAtATime, queries - first)).MoveToOuterDisposeScope());
        }
        var o = parts.Count == 0 ? zeros_like(all.Queries) : cat(parts, 2);
        return o.MoveToOuterDisposeScope();

        Tensor? OfHeads(Tensor? perChannel) => perChannel is null ? null : QuantizedInputs.OfHeads(perChannel, heads);
    }

    private static Tensor Rows(Operands all, SageSettings settings, long first, long count)
    {
        var (queries, keys) = (all.Queries.shape[2], all.Keys.shape[2]);
        using Scalar factor = settings.ScoreFactor, correctionFactor = settings.CorrectionFactor, never = double.NegativeInfinity;
        var scores = einsum("bhld,bhnd->bhln", all.Queries.narrow(2, first, count), all.Keys);
        scores = scores * (all.QueryScale.narrow(2, first, count) * factor).unsqueeze(-1) * all.KeyScale.unsqueeze(2);
        if (all.Correction is { } correction)
        {
            var blocks = arange(first, first + count, device: scores.device).floor_divide(QuantizedInputs.TokensOfMean);
            scores += correction.index_select(2, blocks) * correctionFactor;
        }
        if (settings.Causal)
            scores = scores.masked_fill(ones([count, keys], ScalarType.Bool, scores.device).triu(keys - queries + first + 1), never);
        if (keys == 0)
            return zeros_like(all.Queries.narrow(2, first, count));
        var largest = scores.amax([-1], keepdim: true);
        using Scalar zero = 0;
        largest = largest.masked_fill(largest.isneginf(), zero);                // a query that sees nothing
        var weights = (scores - largest).exp2();
        var sums = weights.sum(-1, keepdim: true);
        var o = Product(weights, all, settings) / sums;
        if (all.ValueMean is { } mean)
            o += mean.unsqueeze(2);
        return o.masked_fill(sums.eq(zero), zero);
    }

    private static Tensor Product(Tensor weights, Operands all, SageSettings settings)
    {
        var largest = settings.SecondProduct switch
        {
            SecondProduct.E4M3 => Float8.E4M3.Largest,
            SecondProduct.E5M2 => Float8.E5M2.Largest,
            SecondProduct.Int8 => 127,
            _ => 1,
        };
        using Scalar up = largest, down = 1 / largest;
        var rounded = settings.SecondProduct switch
        {
            SecondProduct.Float16 => weights.to(ScalarType.Float16).to(weights.dtype),
            SecondProduct.BFloat16 => weights.to(ScalarType.BFloat16).to(weights.dtype),
            SecondProduct.E4M3 => Float8.E4M3.Round(weights * up),
            SecondProduct.E5M2 => Float8.E5M2.Round(weights * up),
            SecondProduct.Int8 => (weights * up).round(),
            _ => weights,
        };
        var sum = settings.Accumulator == Accumulator.Float32 ? einsum("bhln,bhnd->bhld", rounded, all.Values) : InFewBits(rounded, all.Values, settings);
        return all.ValueScale is { } scale ? sum * (scale * down).unsqueeze(2) : sum;
    }

    /// <summary>Summed as the paper says that tensor cores do: cut to 13 bits of fraction after each product over 32 keys.</summary>
    private static Tensor InFewBits(Tensor weights, Tensor values, SageSettings settings)
    {
        var keys = values.shape[2];
        var flushed = settings.Accumulator == Accumulator.Fp22Flushed;
        var total = zeros_like(values.narrow(2, 0, 1)).expand(-1, -1, weights.shape[2], -1).contiguous();
        var sum = zeros_like(total);
        for (long first = 0; first < keys; first += KeysOfAProduct)
        {
            if (flushed && first % settings.Tiles.BlockK == 0)
            {
                total += sum;
                sum = zeros_like(total);
            }
            var count = Math.Min(KeysOfAProduct, keys - first);
            sum = (sum + einsum("bhln,bhnd->bhld", weights.narrow(3, first, count), values.narrow(2, first, count))).contiguous();
            Cut(sum);
        }
        return flushed ? total + sum : sum;
    }

    private static void Cut(Tensor x)
    {
        foreach (ref var value in KernelArray.Of(x).Span)
            value = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & Fraction13);
        GC.KeepAlive(x);
    }

    /// <summary>One for each query head.</summary>
    private sealed record Operands(
        Tensor Queries, Tensor QueryScale, Tensor Keys, Tensor KeyScale, Tensor? Correction, Tensor Values, Tensor? ValueScale, Tensor? ValueMean);
}
