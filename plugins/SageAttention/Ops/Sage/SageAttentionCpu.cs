using System.Runtime.Intrinsics.X86;
using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.SageAttention.Ops.Sage.Kernels;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Quantised attention in C#: both products in 16-bit integers (README.md has the plan).</summary>
internal sealed unsafe class SageAttentionCpu : OpKernel
{
    /// <summary>Whether scores are products of bytes: where the processor has an instruction for it (README.md in Kernels), and in tests.</summary>
    public bool MultipliesBytes { get; init; } = AvxVnni.IsSupported && Simd.Bits < 512;

    public override string Backend => KernelChoice.Cpu;

    public override string? Reject(OpCall call)
    {
        var settings = SageAttentionOp.SettingsOf(call);
        if (settings.SecondProduct is not (SecondProduct.Auto or SecondProduct.Float16 or SecondProduct.BFloat16 or SecondProduct.E4M3))
            return "its second product is of 16-bit integers: 'pv' must be auto, fp16 or bf16, for which they stand, or fp8 for values that are FP8 numbers";
        if (settings.Accumulator != Accumulator.Float32)
            return "'pv_accum' must be fp32";
        var (queryTile, keyTile) = (Groups(call, settings).Queries.Tile, Groups(call, settings).Keys.Tile);
        if (!Fits(keyTile, SagePreparation.TokensOfABlock) || !Fits(queryTile, settings.SmoothQ ? QuantizedInputs.TokensOfMean : SagePreparation.TokensOfABlock))
        {
            return $"tokens share scales in tiles of {queryTile} queries and {keyTile} keys; both must divide {SagePreparation.TokensOfABlock}, and queries' " +
                $"{QuantizedInputs.TokensOfMean} where they are smoothed";
        }
        return null;

        static bool Fits(int tile, int tokens) => tokens % tile == 0;
    }

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        var settings = SageAttentionOp.SettingsOf(call);
        var (queries, keys) = (call.Count("L"), call.Count("N"));
        var sizes = new SageSizes(call.Count("B"), call.Count("H"), call.Count("G"), queries, keys, call.Count("D"), settings.Causal, keys - queries);
        var groups = Groups(call, settings);
        var plan = new SagePlan(groups.Queries, groups.Keys, settings.Rule)
        {
            MultipliesBytes = MultipliesBytes,
            SmoothsKeys = settings.SmoothK,
            SmoothsQueries = settings.SmoothQ,
            SmoothsValues = settings.SmoothV,
            QueryFactor = settings.QueryFactor,
            ScoreFactor = settings.ScoreFactor,
            CorrectionFactor = settings.CorrectionFactor,
            LargestFloat8 = settings.SecondProduct == SecondProduct.E4M3 ? (float)settings.LargestValue : 0,
        };
        var results = SageResults.Of(arrays, (int)groups.Queries.Count(queries), (int)groups.Keys.Count(keys));
        SageForward.Run(sizes, plan, arrays["q"].Float32, arrays["k"].Float32, arrays["v"].Float32, arrays["o"].Float32, results);
    }

    public override void Backward(OpCall call, KernelArrays arrays) => throw new NotSupportedException("sage_attention has no gradient.");

    private static (TokenGroups Queries, TokenGroups Keys) Groups(OpCall call, SageSettings settings) =>
        (TokenGroups.OfQueries(settings.Granularity, settings.Tiles, call.Size("L")), TokenGroups.OfKeys(settings.Granularity, settings.Tiles, call.Size("N")));
}
