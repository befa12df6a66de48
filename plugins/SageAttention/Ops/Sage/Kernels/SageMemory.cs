using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Where the quantised parts of one key head and of the query heads that read it lie.</summary>
internal readonly unsafe struct SageMemory
{
    private readonly SageSizes _sizes;
    private readonly long _floatsOfAMember;
    private readonly float* _members;

    public SageMemory(byte* memory, SageSizes sizes, SagePlan plan)
    {
        _sizes = sizes;
        var (padded, keys) = (sizes.PaddedDim(Width), (long)sizes.Tiles * SageSizes.KeysOfATile);
        KeyMeans = (float*)memory;
        ValueMeans = KeyMeans + padded;
        ValueScales = ValueMeans + padded;
        ValueInverses = ValueScales + padded;
        KeyScales = ValueInverses + padded;
        KeyStarts = (int*)(KeyScales + keys);
        TileFlaws = (float*)(KeyStarts + keys);
        Keys = (short*)(TileFlaws + Round(sizes.Tiles));
        Values = Keys + keys * sizes.DimPairs * 2;
        _members = (float*)(Values + keys * padded);
        _floatsOfAMember = FloatsOfAMember(sizes, plan);
    }

    /// <summary>Columns of a panel.</summary>
    public static int Width => Simd.Bits / 16;

    /// <summary>Mean of the keys, and of the values with their unit and its inverse; zeros from the last dimension on.</summary>
    public readonly float* KeyMeans, ValueMeans, ValueScales, ValueInverses;

    /// <summary>A factor for each key; zeros behind the last.</summary>
    public readonly float* KeyScales;

    /// <summary>With what a key's scores begin where they are products of bytes; zeros behind the last.</summary>
    public readonly int* KeyStarts;

    /// <summary>For each tile of keys 0, or NaN where one of its keys is not finite.</summary>
    public readonly float* TileFlaws;

    /// <summary>In tiles and panels: int16, or keys as bytes.</summary>
    public readonly short* Keys, Values;

    /// <summary>Whole queries of one query head, [query, 2 · pairs]; or bytes at the beginning of each row.</summary>
    public short* Queries(int member) => (short*)(Factors(member) + Round(_sizes.Queries));

    /// <summary>A factor for each query of one query head.</summary>
    public float* Factors(int member) => _members + member * _floatsOfAMember;

    /// <summary>What the means of queries add to scores, [block of queries, key up to whole tiles].</summary>
    public float* Corrections(int member) => (float*)(Queries(member) + QueryNumbers(_sizes));

    /// <summary>Bytes of one key head with its query heads.</summary>
    public static long Bytes(SageSizes sizes, SagePlan plan)
    {
        var (padded, keys) = (sizes.PaddedDim(Width), (long)sizes.Tiles * SageSizes.KeysOfATile);
        return Round(sizeof(float) * (4 * padded + 2 * keys + Round(sizes.Tiles) + sizes.Group * FloatsOfAMember(sizes, plan)) + sizeof(short) * keys * (sizes.DimPairs * 2 + padded));
    }

    private static long FloatsOfAMember(SageSizes sizes, SagePlan plan) =>
        Round(sizes.Queries) + QueryNumbers(sizes) / 2 + CorrectionNumbers(sizes, plan);

    private static long CorrectionNumbers(SageSizes sizes, SagePlan plan) => plan.SmoothsQueries
        ? (sizes.Queries + QuantizedInputs.TokensOfMean - 1L) / QuantizedInputs.TokensOfMean * sizes.Tiles * SageSizes.KeysOfATile
        : 0;

    private static long QueryNumbers(SageSizes sizes) => Round(((long)sizes.Queries + TileProducts.Rows) * sizes.DimPairs * 2);

    private static long Round(long count) => (count + 63) / 64 * 64;
}
