using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>What comes before attention for one key head: means, then whole numbers and their scales in blocks of tokens.</summary>
internal unsafe struct SagePreparation : ISimdKernel
{
    /// <summary>The parts: the first comes first; the others do not wait for each other.</summary>
    public const int Means = 0, KeysAndValues = 1, QueriesOfAMember = 2;

    /// <summary>Tokens of a block: whole tiles of every kind of group.</summary>
    public const int TokensOfABlock = 1024;

    private const int TokensOfMean = QuantizedInputs.TokensOfMean;
    private const int PaddedTokens = 16;        // FP8 kernels count tokens up to so many in the mean of values

    public SageSizes Sizes;
    public SagePlan Plan;
    public SageMemory Memory;
    public SageResults Results;

    /// <summary>Which part.</summary>
    public int Part;

    /// <summary>Which key head of all, which block of tokens, and which query head of the key head.</summary>
    public int Unit, Block, Member;

    /// <summary>All of them: [head, query, dim]; [key head, key, dim].</summary>
    public float* Queries, Keys, Values;

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        if (typeof(V) == typeof(Lanes512))
            Prepare<MixedLanes512>();
        else if (typeof(V) == typeof(Lanes256))
            Prepare<MixedLanes256>();
        else
            Prepare<MixedLanes128>();
    }

    private readonly void Prepare<L>()
        where L : struct, IMixedLanes<L>
    {
        var first = Block * TokensOfABlock;
        var count = Math.Min(TokensOfABlock, (Part == QueriesOfAMember ? Sizes.Queries : Sizes.Keys) - first);
        if (Part == Means)
            FindMeans<L>();
        else if (Part == KeysAndValues)
            PackKeys<L>(first, count);
        else
            QuantiseQueries<L>(first, count);
    }

    private readonly void FindMeans<L>()
        where L : struct, IMixedLanes<L>
    {
        var (dim, padded) = (Sizes.Dim, Sizes.PaddedDim(SageMemory.Width));
        var at = (long)Unit * Sizes.Keys * dim;
        new Span<float>(Memory.KeyMeans, 4 * padded).Clear();
        if (Plan.SmoothsKeys && Sizes.Keys > 0)
            SageMeans.Run<L>(Keys + at, Sizes.Keys, dim, Sizes.Keys, Memory.KeyMeans);
        var isFloat8 = Plan.LargestFloat8 > 0;
        var paddedKeys = isFloat8 ? (Sizes.Keys + PaddedTokens - 1) / PaddedTokens * PaddedTokens : Sizes.Keys;
        if (Plan.SmoothsValues && Sizes.Keys > 0)
            SageMeans.Run<L>(Values + at, Sizes.Keys, dim, paddedKeys, Memory.ValueMeans);
        SagePacking.Largest<L>(Values + at, Sizes.Keys, dim, Memory.ValueMeans, Memory.ValueScales);
        for (var i = 0; i < dim; i++)
        {
            var largest = Memory.ValueScales[i];
            if (Plan.SmoothsValues && paddedKeys != Sizes.Keys)
                largest = Math.Max(largest, Math.Abs(Memory.ValueMeans[i]));        // of the tokens that pad
            Memory.ValueScales[i] = largest / SagePacking.LargestValue;
            Memory.ValueInverses[i] = largest == 0 ? 0 : (isFloat8 ? Plan.LargestFloat8 : SagePacking.LargestValue) / largest;
            if (Results.ValueScales != null)
                Results.ValueScales[(long)Unit * dim + i] = largest / Plan.LargestFloat8;
            if (Results.KeyMeans != null)
                Results.KeyMeans[(long)Unit * dim + i] = Memory.KeyMeans[i];
            if (Results.ValueMeans != null)
                Results.ValueMeans[(long)Unit * dim + i] = Memory.ValueMeans[i];
        }
    }

    private readonly void PackKeys<L>(int first, int count)
        where L : struct, IMixedLanes<L>
    {
        const int Tile = SageSizes.KeysOfATile;
        var (dim, pairs, padded) = (Sizes.Dim, Sizes.DimPairs, Sizes.PaddedDim(SageMemory.Width));
        var groups = Plan.MultipliesBytes ? Sizes.DimQuads : pairs;
        var stride = 2 * pairs;
        var together = Math.Max(Tile, Plan.KeyGroups.Tile);
        var all = (long)Unit * Sizes.Keys;
        var groupScales = Results.KeyScales == null ? null : Results.KeyScales + (long)Unit * Results.KeyGroups;
        var whole = (short*)NativeMemory.Alloc((nuint)(Math.Min(together, count) * stride), sizeof(short));
        try
        {
            for (var start = 0; start < count; start += together)
            {
                var (key, rows) = (first + start, Math.Min(together, count - start));
                SageQuantiser.Rows<L>(
                    Keys + (all + key) * dim, rows, dim, Memory.KeyMeans, 1, Plan.KeyGroups, Plan.Rule, Memory.KeyScales + key,
                    groupScales == null ? null : groupScales + Plan.KeyGroups.Of(key), whole, stride);
                if (Results.Keys != null)
                    SagePacking.Bytes(whole, rows, dim, stride, Results.Keys + (all + key) * dim);
                if (Plan.MultipliesBytes)
                {
                    SagePacking.Starts(whole, rows, stride, Memory.KeyStarts + key);
                    SagePacking.Narrow(whole, rows, stride, groups, offset: 0);
                }
                for (var i = 0; i < rows; i += Tile)
                {
                    var (tile, inTile) = ((key + i) / Tile, Math.Min(Tile, rows - i));
                    SagePacking.Keys<L>((int*)(whole + i * stride), inTile, groups, pairs, (int*)Memory.Keys + (long)tile * Tile * groups);
                    SagePacking.Values<L>(
                        Values + (all + key + i) * dim, inTile, dim, Memory.ValueMeans, Memory.ValueInverses, Plan.LargestFloat8,
                        Memory.Values + (long)tile * Tile * padded, Results.Values == null ? null : Results.Values + (all + key + i) * dim);
                    Memory.TileFlaws[tile] = SagePacking.Flaw(Memory.KeyScales + key + i, inTile);
                }
            }
        }
        finally
        {
            NativeMemory.Free(whole);
        }
        if (first + count < Sizes.Keys)
            return;
        new Span<float>(Memory.KeyScales + Sizes.Keys, Sizes.Tiles * Tile - Sizes.Keys).Clear();
        new Span<int>(Memory.KeyStarts + Sizes.Keys, Sizes.Tiles * Tile - Sizes.Keys).Clear();
        FillGroups(groupScales, Plan.KeyGroups, Sizes.Keys, Results.KeyGroups);
    }

    private readonly void QuantiseQueries<L>(int first, int count)
        where L : struct, IMixedLanes<L>
    {
        var (dim, stride) = (Sizes.Dim, 2 * Sizes.DimPairs);
        var head = (long)Unit * Sizes.Group + Member;
        var queries = Queries + (head * Sizes.Queries + first) * dim;
        var whole = Memory.Queries(Member) + (long)first * stride;
        var factors = Memory.Factors(Member) + first;
        var mean = stackalloc float[dim];
        var together = Plan.SmoothsQueries ? TokensOfMean : TokensOfABlock;
        var groupScales = Results.QueryScales == null ? null : Results.QueryScales + head * Results.QueryGroups;
        for (var start = 0; start < count; start += together)
        {
            var rows = Math.Min(together, count - start);
            new Span<float>(mean, dim).Clear();
            if (Plan.SmoothsQueries)
            {
                SageMeans.InOrder<L>(queries + (long)start * dim, rows, dim, together, mean);       // queries that are not there count as zeros
                Correct<L>(head, (first + start) / together, mean);
            }
            SageQuantiser.Rows<L>(
                queries + (long)start * dim, rows, dim, mean, Plan.QueryFactor, Plan.QueryGroups, Plan.Rule, factors + start,
                groupScales == null ? null : groupScales + Plan.QueryGroups.Of(first + start), whole + (long)start * stride, stride);
        }
        if (Results.Queries != null)
            SagePacking.Bytes(whole, count, dim, stride, Results.Queries + (head * Sizes.Queries + first) * dim);
        for (var i = 0; i < count; i++)
            factors[i] *= Math.Abs(Plan.ScoreFactor);
        for (var i = 0; i < count * stride && Plan.ScoreFactor < 0; i++)      // factors are not negative: the largest score stays the largest
            whole[i] = (short)-whole[i];
        if (Plan.MultipliesBytes)
            SagePacking.Narrow(whole, count, stride, Sizes.DimQuads, ByteQuads<L>.Offset);
        if (first + count < Sizes.Queries)
            return;
        new Span<short>(whole + (long)count * stride, TileProducts.Rows * stride).Clear();          // rows of the last tile that are not there
        FillGroups(groupScales, Plan.QueryGroups, Sizes.Queries, Results.QueryGroups);
    }

    /// <summary>Scales of groups in tiles that have no token.</summary>
    private readonly void FillGroups(float* scales, TokenGroups groups, int tokens, int count)
    {
        for (var i = (tokens + groups.Tile - 1) / groups.Tile * (groups.Period / groups.Run); i < count && scales != null; i++)
            scales[i] = SageQuantiser.Scale(0, Plan.Rule);
    }

    /// <summary>The scores of a block's mean query with every key, which its queries lose with it.</summary>
    private readonly void Correct<L>(long head, int block, float* mean)
        where L : struct, IMixedLanes<L>
    {
        var (dim, all) = (Sizes.Dim, Sizes.Tiles * SageSizes.KeysOfATile);
        var blocks = (Sizes.Queries + TokensOfMean - 1) / TokensOfMean;
        var corrections = Memory.Corrections(Member) + (long)block * all;
        for (var key = 0; key < Sizes.Keys; key++)
        {
            var k = Keys + ((long)Unit * Sizes.Keys + key) * dim;
            var wide = L.Zero;
            var i = 0;
            for (; i + L.Count <= dim; i += L.Count)
                wide = L.MultiplyAdd(L.Subtract(L.Load(k + i), L.Load(Memory.KeyMeans + i)), L.Load(mean + i), wide);
            var sum = L.SumOf(wide);
            for (; i < dim; i++)
                sum += (k[i] - Memory.KeyMeans[i]) * mean[i];
            corrections[key] = sum * Plan.CorrectionFactor;
            if (Results.Corrections != null)
                Results.Corrections[(head * blocks + block) * Sizes.Keys + key] = sum;
        }
        new Span<float>(corrections + Sizes.Keys, all - Sizes.Keys).Clear();
        if (Results.QueryMeans != null)
            new Span<float>(mean, dim).CopyTo(new Span<float>(Results.QueryMeans + (head * blocks + block) * dim, dim));
    }
}
