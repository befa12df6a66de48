using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>What comes before attention for one key head: means, then whole numbers and their scales in blocks of tokens.</summary>
internal unsafe struct SagePreparation : ISimdKernel
{
    /// <summary>The parts, in their order; those of <see cref="Keys"/> and <see cref="Queries"/> do not wait for each other.</summary>
    public const int Means = 0, KeysAndValues = 1, QueriesOfAMember = 2;

    /// <summary>Tokens of a block: whole tiles of every kind of group.</summary>
    public const int TokensOfABlock = 1024;

    private const float Log2E = 1.44269504f;

    public SageSizes Sizes;
    public SagePlan Plan;
    public SageMemory Memory;

    /// <summary>Which part.</summary>
    public int Part;

    /// <summary>Which block of tokens, and which query head of the key head.</summary>
    public int Block, Member;

    /// <summary>Of the key head: all its query heads, [member, query, dim]; its keys and its values, [key, dim].</summary>
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
        var (first, tokens) = (Block * TokensOfABlock, Part == QueriesOfAMember ? Sizes.Queries : Sizes.Keys);
        var count = Math.Min(TokensOfABlock, tokens - first);
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
        new Span<float>(Memory.KeyMeans, 4 * padded).Clear();
        if (Plan.SmoothsKeys)
            SagePacking.Means<L>(Keys, Sizes.Keys, dim, Memory.KeyMeans);
        if (Plan.SmoothsValues)
            SagePacking.Means<L>(Values, Sizes.Keys, dim, Memory.ValueMeans);
        SagePacking.Largest<L>(Values, Sizes.Keys, dim, Memory.ValueMeans, Memory.ValueScales);
        for (var i = 0; i < dim; i++)
        {
            var largest = Memory.ValueScales[i];
            Memory.ValueScales[i] = largest / SagePacking.LargestValue;
            Memory.ValueInverses[i] = largest == 0 ? 0 : SagePacking.LargestValue / largest;
        }
    }

    private readonly void PackKeys<L>(int first, int count)
        where L : struct, IMixedLanes<L>
    {
        const int Tile = SageSizes.KeysOfATile;
        var (pairs, padded) = (Sizes.DimPairs, Sizes.PaddedDim(SageMemory.Width));
        var stride = 2 * pairs;
        var together = Math.Max(Tile, Plan.KeyGroups.Tile);
        var whole = stackalloc short[together * stride];
        for (var start = 0; start < count; start += together)
        {
            var (key, rows) = (first + start, Math.Min(together, count - start));
            SageQuantiser.Rows<L>(
                Keys + (long)key * Sizes.Dim, rows, Sizes.Dim, Memory.KeyMeans, 1, Plan.KeyGroups, Plan.Rounding, Memory.KeyScales + key, whole, stride);
            for (var i = 0; i < rows; i += Tile)
            {
                var tile = (key + i) / Tile;
                var inTile = Math.Min(Tile, rows - i);
                SagePacking.Keys<L>(whole + i * stride, inTile, pairs, stride, Memory.Keys + (long)tile * Tile * stride);
                SagePacking.Values<L>(
                    Values + (long)(key + i) * Sizes.Dim, inTile, Sizes.Dim, Memory.ValueMeans, Memory.ValueInverses,
                    Memory.Values + (long)tile * Tile * padded);
            }
        }
        if (first + count == Sizes.Keys)
            new Span<float>(Memory.KeyScales + Sizes.Keys, Sizes.Tiles * Tile - Sizes.Keys).Clear();
    }

    private readonly void QuantiseQueries<L>(int first, int count)
        where L : struct, IMixedLanes<L>
    {
        var (dim, stride) = (Sizes.Dim, 2 * Sizes.DimPairs);
        var factor = Sizes.Scale * Log2E;
        var (before, after) = Plan.ScalesQueriesFirst ? (factor, 1f) : (MathF.CopySign(1, factor), Math.Abs(factor));
        float* queries = Queries + ((long)Member * Sizes.Queries + first) * dim, factors = Memory.Factors(Member);
        var whole = Memory.Queries(Member);
        var mean = stackalloc float[dim];
        var together = Plan.SmoothedQueries == 0 ? TokensOfABlock : Plan.SmoothedQueries;
        for (var start = 0; start < count; start += together)
        {
            var rows = Math.Min(together, count - start);
            new Span<float>(mean, dim).Clear();
            if (Plan.SmoothedQueries > 0)
            {
                SagePacking.Means<L>(queries + (long)start * dim, rows, dim, mean);
                for (var i = 0; i < dim; i++)
                    mean[i] *= (float)rows / together;          // queries that are not there count as zeros
                Shift<L>((first + start) / together, mean, factor);
            }
            SageQuantiser.Rows<L>(
                queries + (long)start * dim, rows, dim, mean, before, Plan.QueryGroups, Plan.Rounding, factors + first + start,
                whole + (long)(first + start) * stride, stride);
        }
        for (var i = 0; i < count; i++)
            factors[first + i] *= after;
        if (first + count == Sizes.Queries)                     // rows of the last tile that are not there
            new Span<short>(whole + (long)Sizes.Queries * stride, PairProducts.Rows * stride).Clear();
    }

    /// <summary>The scores of a block's mean query with every key, which its queries lost with it.</summary>
    private readonly void Shift<L>(int block, float* mean, float factor)
        where L : struct, IMixedLanes<L>
    {
        var (dim, all) = (Sizes.Dim, Sizes.Tiles * SageSizes.KeysOfATile);
        var shifts = Memory.Shifts(Member) + (long)block * all;
        for (var key = 0; key < Sizes.Keys; key++)
        {
            var k = Keys + (long)key * dim;
            var wide = L.Zero;
            var i = 0;
            for (; i + L.Count <= dim; i += L.Count)
                wide = L.MultiplyAdd(L.Subtract(L.Load(k + i), L.Load(Memory.KeyMeans + i)), L.Load(mean + i), wide);
            var sum = L.SumOf(wide);
            for (; i < dim; i++)
                sum += (k[i] - Memory.KeyMeans[i]) * mean[i];
            shifts[key] = sum * factor;
        }
        new Span<float>(shifts + Sizes.Keys, all - Sizes.Keys).Clear();
    }
}
