using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Turns scores of one tile of keys into whole weights 0 to <see cref="Largest"/>.</summary>
/// <remarks>
/// Weights are 2^(score - n) for the whole number n next above the row's largest score in this tile: so the largest weight of every tile uses the
/// upper half of the range, whatever other tiles hold, and what a tile's sums have to be multiplied with is a power of two.
/// </remarks>
internal static unsafe class SageSoftmax
{
    /// <summary>The weight of a score that equals n.</summary>
    public const int Largest = 8191;

    /// <summary>A score that is not there.</summary>
    private const float Never = float.MinValue;

    // Largest · 2^f for f in [-1/2, 1/2], by rising powers: within 7.5e-5 of it
    private const float P0 = Largest * 0.99992807f, P1 = Largest * 0.69326099f, P2 = Largest * 0.24261112f, P3 = Largest * 0.05517167f;

    private const float Rounder = 12582912f;    // added, it rounds a number below 2^22, which then stands in the lowest bits
    private const float Least = -20;            // Largest · 2^-20 is rounded to nothing

    /// <summary>Keys that <see cref="Weigh"/> works on at a time.</summary>
    public static int Step<L>()
        where L : struct, IMixedLanes<L> => 4 * L.Count;

    /// <summary>Completes the scores of a row that are not as <see cref="ScoreEnd{L}"/> leaves them: corrected, or not all seen.</summary>
    /// <param name="scores">Of one row.</param>
    /// <param name="corrections">Added to the scores after <paramref name="factor"/>; null for none, and scores are then left without the factor.</param>
    /// <param name="factor">The row's own.</param>
    /// <param name="seen">Keys that the row sees, at least 1.</param>
    /// <param name="columns">Up to where scores are wanted.</param>
    /// <param name="top">The largest of each lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Complete<L>(float* scores, float* corrections, float factor, int seen, int columns, float* top)
        where L : struct, IMixedLanes<L>
    {
        var wide = L.Create(factor);
        for (var i = 0; i < seen && corrections != null; i += L.Count)
            L.MultiplyAdd(L.Load(scores + i), wide, L.Load(corrections + i)).Store(scores + i);
        new Span<float>(scores + seen, columns - seen).Fill(Never);
        var largest = L.Create(float.NegativeInfinity);
        for (var i = 0; i < columns; i += L.Count)
            largest = L.Max(largest, L.Load(scores + i));
        largest.Store(top);
    }

    /// <summary>score · factor - n in two steps, each rounded, so that no score comes out above n however large it is.</summary>
    public static void Subtract<L>(float* scores, float factor, float n, int columns)
        where L : struct, IMixedLanes<L>
    {
        for (var i = 0; i < columns; i += L.Count)
            L.Subtract(L.Multiply(L.Load(scores + i), L.Create(factor)), L.Create(n)).Store(scores + i);
    }

    /// <summary>Weights of some rows of a tile.</summary>
    /// <param name="scores">Whole steps of them, [row, tile of keys].</param>
    /// <param name="factors">Factor of a row's scores.</param>
    /// <param name="shifts">n of a row, taken off after it.</param>
    /// <param name="shares">What a row's weights count.</param>
    /// <param name="rows">How many rows.</param>
    /// <param name="columns">How many scores of each.</param>
    /// <param name="weights">int16, [row, tile of keys].</param>
    /// <param name="totals">One register a row: the sums of its weights by lane, times its share, are added.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Weigh<L>(float* scores, float* factors, float* shifts, float* shares, int rows, int columns, short* weights, float* totals)
        where L : struct, IMixedLanes<L>
    {
        L ones = L.Create(0x00010001), least = L.Create(Least), rounder = L.Create(Rounder);
        L p0 = L.Create(P0), p1 = L.Create(P1), p2 = L.Create(P2), p3 = L.Create(P3);
        for (var row = 0; row < rows; row++)
        {
            L wide = L.Create(factors[row]), shift = L.Create(-shifts[row]), sum = L.Zero;
            for (var i = 0; i < columns; i += 4 * L.Count)
            {
                var a = L.Max(L.MultiplyAdd(L.Load(scores + i), wide, shift), least);
                var b = L.Max(L.MultiplyAdd(L.Load(scores + i + L.Count), wide, shift), least);
                var c = L.Max(L.MultiplyAdd(L.Load(scores + i + 2 * L.Count), wide, shift), least);
                var d = L.Max(L.MultiplyAdd(L.Load(scores + i + 3 * L.Count), wide, shift), least);
                var low = L.Pack(Power(a, rounder, p0, p1, p2, p3), Power(b, rounder, p0, p1, p2, p3));
                var high = L.Pack(Power(c, rounder, p0, p1, p2, p3), Power(d, rounder, p0, p1, p2, p3));
                sum = L.AddPairs(L.AddPairs(sum, low, ones), high, ones);
                low.Store(weights + i);
                high.Store(weights + i + 2 * L.Count);
            }
            L.MultiplyAdd(L.ToSingle(sum), L.Create(shares[row]), L.Load(totals)).Store(totals);
            scores += SageSizes.KeysOfATile;
            weights += SageSizes.KeysOfATile;
            totals += L.Count;
        }
    }

    /// <summary>Largest · 2^t for t up to 0, rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static L Power<L>(L t, L rounder, L p0, L p1, L p2, L p3)
        where L : struct, IMixedLanes<L>
    {
        var biased = L.Add(t, rounder);
        var f = L.Subtract(t, L.Subtract(biased, rounder));
        var p = L.MultiplyAdd(L.MultiplyAdd(L.MultiplyAdd(p3, f, p2), f, p1), f, p0);
        return L.ToInt32(L.AddInt32(p, L.ShiftLeft(biased, 23)));
    }
}
