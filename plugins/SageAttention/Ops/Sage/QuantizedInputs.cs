using TorchSharp;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Queries, keys and values as attention reads them. What a call does not use is null.</summary>
internal sealed record QuantizedInputs
{
    /// <summary>Tokens over which a query's mean is taken: upstream's, whatever the tiles.</summary>
    public const int TokensOfMean = 128;

    /// <summary>Integers, [batch, head, token, dim].</summary>
    public required Tensor Queries { get; init; }

    /// <summary>[batch, head, group].</summary>
    public required Tensor QueryScale { get; init; }

    /// <summary>Integers, [batch, key head, token, dim].</summary>
    public required Tensor Keys { get; init; }

    /// <summary>[batch, key head, group].</summary>
    public required Tensor KeyScale { get; init; }

    /// <summary>Mean of the keys, [batch, key head, 1, dim].</summary>
    public Tensor? KeyMean { get; init; }

    /// <summary>Mean of each block of queries, [batch, head, block, dim].</summary>
    public Tensor? QueryMean { get; init; }

    /// <summary>What the mean of a block of queries adds to the score of each key, before the scale: [batch, head, block, key].</summary>
    public Tensor? Correction { get; init; }

    /// <summary>Values as the second product has them, [batch, key head, token, dim]; in units of <see cref="ValueScale"/> where there is one.</summary>
    public required Tensor Values { get; init; }

    /// <summary>[batch, key head, dim].</summary>
    public Tensor? ValueScale { get; init; }

    /// <summary>[batch, key head, dim].</summary>
    public Tensor? ValueMean { get; init; }

    /// <summary>Quantises.</summary>
    /// <param name="q">[batch, head, token, dim].</param>
    /// <param name="k">[batch, key head, token, dim].</param>
    /// <param name="v">[batch, key head, token, dim].</param>
    /// <param name="settings">How.</param>
    public static QuantizedInputs Of(Tensor q, Tensor k, Tensor v, SageSettings settings)
    {
        var (queries, keys) = (q.shape[2], k.shape[2]);
        var keyMean = settings.SmoothK && keys > 0 ? k.mean([2], keepdim: true) : null;
        var smoothK = keyMean is null ? k : k - keyMean;
        Tensor smoothQ = q;
        Tensor? queryMean = null, correction = null;
        if (settings.SmoothQ)
        {
            var blocks = (queries + TokensOfMean - 1) / TokensOfMean;
            queryMean = queries == 0 ? q.new_zeros([q.shape[0], q.shape[1], 0, q.shape[3]])
                : MeanInOrder(nn.functional.pad(q, [0, 0, 0, blocks * TokensOfMean - queries]).unflatten(2, [blocks, TokensOfMean]));
            smoothQ = q - queryMean.repeat_interleave(TokensOfMean, dim: 2).narrow(2, 0, queries);
            correction = einsum("bhmd,bhnd->bhmn", queryMean, OfHeads(smoothK, q.shape[1]));
        }
        if (settings.QueryFactor != 1)
        {
            using Scalar factor = settings.QueryFactor;
            smoothQ *= factor;
        }
        var (queryIntegers, queryScale) = IntegerQuantizer.Quantize(smoothQ, TokenGroups.OfQueries(settings.Granularity, settings.Tiles, queries), settings.Rule);
        var (keyIntegers, keyScale) = IntegerQuantizer.Quantize(smoothK, TokenGroups.OfKeys(settings.Granularity, settings.Tiles, keys), settings.Rule);
        var (values, valueScale, valueMean) = Values8(v, settings);
        return new()
        {
            Queries = queryIntegers,
            QueryScale = queryScale,
            Keys = keyIntegers,
            KeyScale = keyScale,
            KeyMean = keyMean,
            QueryMean = queryMean,
            Correction = correction,
            Values = values,
            ValueScale = valueScale,
            ValueMean = valueMean,
        };
    }

    /// <summary>One for each query head of what each key head has.</summary>
    public static Tensor OfHeads(Tensor perKeyHead, long heads) =>
        perKeyHead.shape[1] == heads ? perKeyHead : perKeyHead.repeat_interleave(heads / perKeyHead.shape[1], dim: 1);

    /// <summary>Under the names that recorded cases have.</summary>
    public NamedTensors Named(SecondProduct product)
    {
        var named = new NamedTensors
        {
            ["q_int8"] = Queries,
            ["q_scale"] = QueryScale,
            ["k_int8"] = Keys,
            ["k_scale"] = KeyScale,
        };
        Add("km", KeyMean);
        Add("qm", QueryMean);
        Add("delta_s", Correction);
        Add("v_fp8", product == SecondProduct.E4M3 ? Values : null);
        Add("v_scale", product == SecondProduct.E4M3 ? ValueScale : null);
        Add("vm", ValueMean);
        return named;

        void Add(string name, Tensor? tensor)
        {
            if (tensor is not null)
                named[name] = tensor;
        }
    }

    /// <summary>The mean over the fourth axis, one token added after the other: upstream's bits, as integers at a boundary need them.</summary>
    private static Tensor MeanInOrder(Tensor blocks)
    {
        using Scalar count = (double)blocks.shape[3];
        return blocks.unbind(3).Aggregate(TensorSums.Plus) / count;
    }

    private static (Tensor Values, Tensor? Scale, Tensor? Mean) Values8(Tensor v, SageSettings settings)
    {
        var bytes = settings.SecondProduct is SecondProduct.E4M3 or SecondProduct.E5M2 or SecondProduct.Int8;
        var mean = !settings.SmoothV || v.shape[2] == 0 ? null : bytes ? ValueQuantizer.PaddedMean(v) : v.mean([2]);
        if (bytes)
        {
            var (largest, round) = settings.SecondProduct switch
            {
                SecondProduct.E4M3 => (settings.LargestValue, (Func<Tensor, Tensor>)Float8.E4M3.Round),
                SecondProduct.E5M2 => (Float8.E5M2.Largest, Float8.E5M2.Round),
                _ => (127, x => x.round()),
            };
            var (values, scale) = ValueQuantizer.Quantize(v, mean, largest, round);
            return (values, scale, mean);
        }
        var smoothed = mean is null ? v : v - mean.unsqueeze(2);
        return (settings.SecondProduct switch
        {
            SecondProduct.Float16 => smoothed.to(ScalarType.Float16).to(v.dtype),
            SecondProduct.BFloat16 => smoothed.to(ScalarType.BFloat16).to(v.dtype),
            _ => smoothed,
        }, null, mean);
    }
}
