using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Some queries of one head: along the tiles of keys, six queries at a time; scores, weights and their product with the values.</summary>
/// <remarks>
/// A query keeps its sums relative to 2^m, m a whole number. A tile's sums have their own n (<see cref="SageSoftmax"/>) and come in times
/// 2^(n - m); m is raised only when n is far above it, so that sums are hardly ever multiplied again.
/// </remarks>
internal unsafe struct SagePiece : ISimdKernel
{
    /// <summary>By how much a tile's n may be above m.</summary>
    private const float Slack = 16;

    /// <summary>A factor is at least so large, that scores which are not there stay far below all others.</summary>
    private const float LeastFactor = 1e-34f;

    /// <summary>
    /// Up to this n, score · factor - n is one operation with one rounding: weights come out at most 2⁻¹² of themselves too large, for which the int32
    /// sums of a tile have room.
    /// </summary>
    private const float LargestSplit = 1 << 12;

    public SageSizes Sizes;

    /// <summary>First query and how many.</summary>
    public int First, Count;

    /// <summary>Whether queries and keys are bytes, queries by <see cref="ByteQuads{L}.Offset"/> too large.</summary>
    public bool MultipliesBytes;

    /// <summary>All queries of the head, [query, 2 · pairs], up to whole tiles of <see cref="TileProducts.Rows"/>.</summary>
    public short* Queries;

    /// <summary>A factor for each query: its scale, the scores' own, and log2 e.</summary>
    public float* Factors;

    /// <summary>Keys and values of the head in tiles, as <see cref="SagePacking"/> leaves them.</summary>
    public short* Keys, Values;

    /// <summary>A factor for each key, up to whole tiles.</summary>
    public float* KeyScales;

    /// <summary>With what a key's scores begin, up to whole tiles; used with bytes alone.</summary>
    public int* KeyStarts;

    /// <summary>For each tile of keys 0 or NaN.</summary>
    public float* TileFlaws;

    /// <summary>
    /// What is added to the scores of each <see cref="QuantizedInputs.TokensOfMean"/> queries, [block, key up to whole tiles]; null for nothing.
    /// </summary>
    public float* Corrections;

    /// <summary>The values' unit and mean, [padded dim].</summary>
    public float* ValueScales, ValueMeans;

    /// <summary>All outputs of the head, [query, dim].</summary>
    public float* Output;

    /// <summary>Memory of <see cref="ScratchFloats"/>.</summary>
    public float* Scratch;

    /// <summary>Floats that a piece of so many queries needs.</summary>
    public static long ScratchFloats(SageSizes sizes, int queries)
    {
        var width = Simd.Bits / 16;
        var rows = (queries + TileProducts.Rows - 1) / TileProducts.Rows * TileProducts.Rows;
        return (long)rows * (sizes.PaddedDim(width) + width / 2 + 1) + TileProducts.Rows * (SageSizes.KeysOfATile * 3L / 2 + width / 2 + 3) + 64;
    }

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        if (typeof(V) == typeof(Lanes512))
            Attend<MixedLanes512>();
        else if (typeof(V) == typeof(Lanes256))
            Attend<MixedLanes256>();
        else
            Attend<MixedLanes128>();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Attend<L>()
        where L : struct, IMixedLanes<L>
    {
        const int Tile = SageSizes.KeysOfATile, Rows = TileProducts.Rows;
        var width = 2 * L.Count;
        var padded = Sizes.PaddedDim(width);
        var rows = (Count + Rows - 1) / Rows * Rows;
        var work = new Work<L>
        {
            Padded = padded,
            Scores = Scratch,
            Weights = (short*)(Scratch + Rows * Tile),
            Tops = Scratch + Rows * Tile * 3 / 2,
        };
        work.Totals = work.Tops + Rows * L.Count;
        work.Sums = work.Totals + (long)rows * L.Count;
        work.Powers = work.Sums + (long)rows * padded;
        work.Shares = work.Powers + rows;
        work.Shifts = work.Shares + Rows;
        work.RowFactors = work.Shifts + Rows;
        new Span<float>(work.Totals, rows * (L.Count + padded)).Clear();
        new Span<float>(work.Powers, rows).Fill(float.NegativeInfinity);
        new Span<float>(work.Scores, Rows * Tile * 3 / 2).Clear();
        new Span<float>(work.Shares, 3 * Rows).Clear();
        var groups = MultipliesBytes ? Sizes.DimQuads : Sizes.DimPairs;
        var (pairs, keyTile, valueTile) = (Sizes.DimPairs, (long)groups * Tile, (long)padded * Tile / 2);
        var end = Sizes.Seen(First + Count - 1);
        for (var key = 0; key < end; key += Tile)
        {
            int* keys = (int*)Keys + key / Tile * keyTile, values = (int*)Values + key / Tile * valueTile;
            for (var row = 0; row < Count; row += Rows)
            {
                var last = Math.Min(Rows, Count - row) - 1;
                var seen = Math.Min(Tile, Sizes.Seen(First + row + last) - key);
                if (seen <= 0)
                    continue;
                var columns = (seen + width - 1) / width * width;
                for (var i = 0; i < Rows; i++)
                    L.Create(float.NegativeInfinity).Store(work.Tops + i * L.Count);
                var queries = (int*)Queries + (long)(First + row) * pairs;
                var scores = new ScoreEnd<L>(work.Scores, work.Tops, KeyScales + key, MultipliesBytes ? KeyStarts + key : null);
                if (MultipliesBytes)
                    TileProducts.Run<L, ByteQuads<L>, ScoreEnd<L>>(queries, pairs, keys, (long)width * groups, groups, columns, scores);
                else
                    TileProducts.Run<L, Int16Pairs<L>, ScoreEnd<L>>(queries, pairs, keys, (long)width * groups, groups, columns, scores);
                Weigh(work, row, last + 1, key, seen);
                TileProducts.Run<L, Int16Pairs<L>, ValueEnd<L>>(
                    (int*)work.Weights, Tile / 2, values, (long)width * (Tile / 2), (seen + 1) / 2, padded,
                    new ValueEnd<L>(work.Sums + (long)row * padded, padded, work.Shares));
            }
        }
        for (var i = 0; i < Count; i++)
            Finish<L>(work.Sums + (long)i * padded, L.SumOf(L.Load(work.Totals + i * L.Count)), Output + (long)(First + i) * Sizes.Dim);
    }

    /// <summary>Weights of six rows in this tile, and what their sums there count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Weigh<L>(in Work<L> work, int row, int count, int key, int seen)
        where L : struct, IMixedLanes<L>
    {
        var step = SageSoftmax.Step<L>();
        var columns = (seen + step - 1) / step * step;
        var isPlain = Corrections == null && Math.Min(SageSizes.KeysOfATile, Sizes.Seen(First + row) - key) == columns;
        var flaw = TileFlaws[key / SageSizes.KeysOfATile];
        if (!isPlain || count < TileProducts.Rows || !TryShift(work, row, Factors + First + row, flaw))
        {
            for (var i = 0; i < count; i++)
                Shift(work, row, i, key, columns, isPlain, flaw);
        }
        SageSoftmax.Weigh<L>(work.Scores, work.RowFactors, work.Shifts, work.Shares, count, columns, work.Weights, work.Totals + row * L.Count);
    }

    /// <summary><see cref="Shift"/> of six whole rows side by side, for which m stays and scores are small: nearly always. False where it does not.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryShift<L>(in Work<L> work, int row, float* factors, float flaw)
        where L : struct, IMixedLanes<L>
    {
        float* tops = work.Tops, powers = work.Powers + row;
        L third = L.Load(tops + 2 * L.Count), fourth = L.Load(tops + 3 * L.Count);
        var first = L.MaxOf(L.Load(tops), L.Load(tops + L.Count), third, fourth);
        var last = L.MaxOf(third, fourth, L.Load(tops + 4 * L.Count), L.Load(tops + 5 * L.Count));
        return TryShift(work, 0, first, factors, powers, flaw) && TryShift(work, TileProducts.Rows - 4, last, factors, powers, flaw);
    }

    /// <summary>Of four of the six rows, whose largest scores are <paramref name="tops"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool TryShift<L>(in Work<L> work, int first, Vector128<float> tops, float* factors, float* powers, float flaw)
        where L : struct, IMixedLanes<L>
    {
        var factor = Vector128.MaxNative(Vector128.Create(LeastFactor), Vector128.Load(factors + first));
        var n = Vector128.Ceiling(tops * factor);
        var power = Vector128.Load(powers + first);
        power = Vector128.ConditionalSelect(Vector128.Equals(power, Vector128.Create(float.NegativeInfinity)), n, power);      // a row's first tile: no sums yet
        if (Vector128.GreaterThanAny(n, power + Vector128.Create(Slack)) || Vector128.GreaterThanAny(Vector128.Abs(n), Vector128.Create(LargestSplit)))
            return false;
        var exponent = n - power;
        var share = ((Vector128.ConvertToInt32Native(exponent) + Vector128.Create(127)) << 23).AsSingle() + exponent * Vector128<float>.Zero;
        share = Vector128.ConditionalSelect(Vector128.LessThan(exponent, Vector128.Create(-126f)), Vector128<float>.Zero, share);
        (share + Vector128.Create(flaw)).Store(work.Shares + first);
        power.Store(powers + first);
        n.Store(work.Shifts + first);
        factor.Store(work.RowFactors + first);
        return true;
    }

    /// <summary>What a row's scores are multiplied with and shifted by, and what its sums in this tile count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Shift<L>(in Work<L> work, int row, int i, int key, int columns, bool isPlain, float flaw)
        where L : struct, IMixedLanes<L>
    {
        const int Tile = SageSizes.KeysOfATile;
        var query = First + row + i;
        var scores = work.Scores + i * Tile;
        var factor = Math.Max(Factors[query], LeastFactor);
        if (!isPlain)
        {
            var seen = Math.Clamp(Sizes.Seen(query) - key, 0, Tile);
            if (seen == 0)
            {
                (work.RowFactors[i], work.Shifts[i], work.Shares[i]) = (1, 0, 0);       // whatever its weights: they count nothing
                return;
            }
            var corrections = Corrections == null ? null : Corrections + (long)(query / QuantizedInputs.TokensOfMean) * Sizes.Tiles * Tile + key;
            SageSoftmax.Complete<L>(scores, corrections, factor, seen, columns, work.Tops + i * L.Count);
            if (corrections != null)
                factor = 1;
        }
        var n = MathF.Ceiling(L.MaxOf(L.Load(work.Tops + i * L.Count)) * factor);
        var power = work.Powers[row + i];
        if (n > power + Slack)
        {
            if (power != float.NegativeInfinity)
                Raise(work, row + i, power - n);
            work.Powers[row + i] = power = n;
        }
        work.Shares[i] = PowerOfTwo(n - power) + flaw;
        if (Math.Abs(n) > LargestSplit)
        {
            SageSoftmax.Subtract<L>(scores, factor, n, columns);
            (factor, n) = (1, 0);
        }
        work.Shifts[i] = n;
        work.RowFactors[i] = factor;
    }

    /// <summary>Multiplies what a row has so far with 2^n.</summary>
    private static void Raise<L>(in Work<L> work, int row, float n)
        where L : struct, IMixedLanes<L>
    {
        var again = PowerOfTwo(n);
        for (var i = 0; i < work.Padded; i++)
            work.Sums[(long)row * work.Padded + i] *= again;
        for (var i = 0; i < L.Count; i++)
            work.Totals[row * L.Count + i] *= again;
    }

    /// <summary>2^n for whole n up to 127; 0 where that is no normal number; NaN of NaN.</summary>
    private static float PowerOfTwo(float n) => n < -126 ? 0 : BitConverter.Int32BitsToSingle(float.ConvertToIntegerNative<int>(n) + 127 << 23) + n * 0;

    /// <summary>What a query's sums mean; zeros where it has seen nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Finish<L>(float* sums, float total, float* y)
        where L : struct, IMixedLanes<L>
    {
        var dim = Sizes.Dim;
        if (total == 0)
        {
            new Span<float>(y, dim).Clear();
            return;
        }
        var share = 1 / total;
        var wide = L.Create(share);
        var i = 0;
        for (; i + L.Count <= dim; i += L.Count)
            L.Add(L.Multiply(L.Multiply(L.Load(sums + i), wide), L.Load(ValueScales + i)), L.Load(ValueMeans + i)).Store(y + i);
        for (; i < dim; i++)
            y[i] = sums[i] * share * ValueScales[i] + ValueMeans[i];
    }

    /// <summary>Memory of a piece.</summary>
    private struct Work<L>
        where L : struct, IMixedLanes<L>
    {
        public int Padded;

        /// <summary>Of six rows: scores and weights in a tile, the largest score by lane.</summary>
        public float* Scores, Tops;
        public short* Weights;

        /// <summary>Of every row: weighted values, sums of weights by lane, m.</summary>
        public float* Sums, Totals, Powers;

        /// <summary>Of six rows: what a tile's sums count, and what scores are multiplied with and shifted by.</summary>
        public float* Shares, RowFactors, Shifts;
    }
}
