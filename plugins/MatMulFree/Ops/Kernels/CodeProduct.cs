using System.Runtime.CompilerServices;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Products of quantised rows with code panels, exact in integers, and scaled at the end.</summary>
/// <remarks>
/// Tiles of 4 rows by 2 panels: for 2 vectors of codes and 4 fours of activations that are read there are 8 vectors of sums. Codes are 0, 1 or
/// 2, so that two products are at most 508, and 64 such pairs stay within 16 bits; then they go to 32. The codes are 1 too large: the row's own
/// sum is taken off.
/// </remarks>
internal static unsafe class CodeProduct
{
    private const int Rows = 4;
    private const int GroupsOfShorts = 64;

    /// <summary>y[r, o] = Σ_i x[r, i] t[o, i] · w_scale / x_scale[r] + bias[o] for some rows.</summary>
    /// <param name="panels">t.</param>
    /// <param name="rows">How many.</param>
    /// <param name="x">[row, 4 · groups], zeros behind the inputs.</param>
    /// <param name="about">Scales and sums of the rows.</param>
    /// <param name="bias">[output]; null for none.</param>
    /// <param name="y">[row, output].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<B>(CodePanels panels, int rows, sbyte* x, QuantizedRow* about, float* bias, float* y)
        where B : struct, IByteLanes<B>
    {
        var (count, outputs, width) = (panels.PanelCount, panels.Outputs, 2 * B.Count);
        var edge = stackalloc float[Rows * width];      // where outputs end within a tile
        for (var p = 0; p < count; p += 2)
        {
            byte* first = panels.Panel(p), second = panels.Panel(Math.Min(p + 1, count - 1));
            var (column, columns) = (p * B.Count, Math.Min(width, outputs - p * B.Count));
            for (var row = 0; row < rows; row += Rows)
            {
                var left = Math.Min(Rows, rows - row);
                var target = y + (long)row * outputs + column;
                var isWhole = columns == width;
                Tile<B>(
                    panels.Groups, first, second, x + (long)row * panels.Groups * 4, left - 1, about + row, panels.Scale,
                    isWhole ? target : edge, isWhole ? outputs : width);
                for (var r = 0; r < left && !isWhole; r++)
                {
                    for (var i = 0; i < columns; i++)
                        target[(long)r * outputs + i] = edge[r * width + i];
                }
            }
        }
        if (bias == null)
            return;
        for (var row = 0; row < rows; row++)
        {
            var target = y + (long)row * outputs;
            for (var i = 0; i < outputs; i++)
                target[i] += bias[i];
        }
    }

    // Rows that there are not are the last one once more, and write the same numbers to the same place.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<B>(int groups, byte* first, byte* second, sbyte* x, int last, QuantizedRow* about, float weightScale, float* y, long yRow)
        where B : struct, IByteLanes<B>
    {
        var row = (long)groups * 4;
        sbyte* x0 = x, x1 = x + Math.Min(1, last) * row, x2 = x + Math.Min(2, last) * row, x3 = x + last * row;
        var step = 4 * B.Count;
        B s00 = B.Zero, s01 = B.Zero, s10 = B.Zero, s11 = B.Zero, s20 = B.Zero, s21 = B.Zero, s30 = B.Zero, s31 = B.Zero;
        for (var start = 0; start < groups; start += GroupsOfShorts)
        {
            var end = Math.Min(groups, start + GroupsOfShorts);
            B c00 = B.Zero, c01 = B.Zero, c10 = B.Zero, c11 = B.Zero, c20 = B.Zero, c21 = B.Zero, c30 = B.Zero, c31 = B.Zero;
            for (var group = start; group < end; group++)
            {
                B w0 = B.Load(first), w1 = B.Load(second);
                first += step;
                second += step;
                var at = group * 4;
                var spread = B.Spread(x0 + at);
                c00 = B.AddShorts(c00, B.PairSums(w0, spread));
                c01 = B.AddShorts(c01, B.PairSums(w1, spread));
                spread = B.Spread(x1 + at);
                c10 = B.AddShorts(c10, B.PairSums(w0, spread));
                c11 = B.AddShorts(c11, B.PairSums(w1, spread));
                spread = B.Spread(x2 + at);
                c20 = B.AddShorts(c20, B.PairSums(w0, spread));
                c21 = B.AddShorts(c21, B.PairSums(w1, spread));
                spread = B.Spread(x3 + at);
                c30 = B.AddShorts(c30, B.PairSums(w0, spread));
                c31 = B.AddShorts(c31, B.PairSums(w1, spread));
            }
            s00 = B.AddIntegers(s00, B.Widen(c00));
            s01 = B.AddIntegers(s01, B.Widen(c01));
            s10 = B.AddIntegers(s10, B.Widen(c10));
            s11 = B.AddIntegers(s11, B.Widen(c11));
            s20 = B.AddIntegers(s20, B.Widen(c20));
            s21 = B.AddIntegers(s21, B.Widen(c21));
            s30 = B.AddIntegers(s30, B.Widen(c30));
            s31 = B.AddIntegers(s31, B.Widen(c31));
        }
        Store(s00, s01, about[0], weightScale, y);
        Store(s10, s11, about[Math.Min(1, last)], weightScale, y + Math.Min(1, last) * yRow);
        Store(s20, s21, about[Math.Min(2, last)], weightScale, y + Math.Min(2, last) * yRow);
        Store(s30, s31, about[last], weightScale, y + last * yRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<B>(B a, B b, QuantizedRow about, float weightScale, float* target)
        where B : struct, IByteLanes<B>
    {
        var factor = TernaryScale.Factor(weightScale, about.Scale);
        B.StoreScaled(a, about.Sum, factor, target);
        B.StoreScaled(b, about.Sum, factor, target + B.Count);
    }
}
