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
    public static void Run<V>(CodePanels panels, int rows, sbyte* x, QuantizedRow* about, float* bias, float* y)
        where V : struct, IByteLanes<V>
    {
        var (count, outputs, width) = (panels.PanelCount, panels.Outputs, 2 * Lanes<V>());
        var edge = stackalloc float[Rows * width];      // where outputs end within a tile
        for (var p = 0; p < count; p += 2)
        {
            byte* first = panels.Panel(p), second = panels.Panel(Math.Min(p + 1, count - 1));
            var (column, columns) = (p * Lanes<V>(), Math.Min(width, outputs - p * Lanes<V>()));
            for (var row = 0; row < rows; row += Rows)
            {
                var left = Math.Min(Rows, rows - row);
                var target = y + (long)row * outputs + column;
                var isWhole = columns == width;
                Tile<V>(
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
    private static void Tile<V>(int groups, byte* first, byte* second, sbyte* x, int last, QuantizedRow* about, float weightScale, float* y, long yRow)
        where V : struct, IByteLanes<V>
    {
        var row = (long)groups * 4;
        sbyte* x0 = x, x1 = x + Math.Min(1, last) * row, x2 = x + Math.Min(2, last) * row, x3 = x + last * row;
        var one = V.Create((short)1);
        V s00 = V.Zero, s01 = V.Zero, s10 = V.Zero, s11 = V.Zero, s20 = V.Zero, s21 = V.Zero, s30 = V.Zero, s31 = V.Zero;
        for (var start = 0; start < groups; start += GroupsOfShorts)
        {
            var end = Math.Min(groups, start + GroupsOfShorts);
            V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero, c30 = V.Zero, c31 = V.Zero;
            for (var group = start; group < end; group++)
            {
                V w0 = V.Load(first), w1 = V.Load(second);
                first += V.Count;
                second += V.Count;
                var at = group * 4;
                var spread = V.Spread(x0 + at);
                c00.AccumulateInt16(V.MultiplyBytes(w0, spread));
                c01.AccumulateInt16(V.MultiplyBytes(w1, spread));
                spread = V.Spread(x1 + at);
                c10.AccumulateInt16(V.MultiplyBytes(w0, spread));
                c11.AccumulateInt16(V.MultiplyBytes(w1, spread));
                spread = V.Spread(x2 + at);
                c20.AccumulateInt16(V.MultiplyBytes(w0, spread));
                c21.AccumulateInt16(V.MultiplyBytes(w1, spread));
                spread = V.Spread(x3 + at);
                c30.AccumulateInt16(V.MultiplyBytes(w0, spread));
                c31.AccumulateInt16(V.MultiplyBytes(w1, spread));
            }
            s00 = V.AddInt32(s00, V.MultiplyInt16(c00, one));
            s01 = V.AddInt32(s01, V.MultiplyInt16(c01, one));
            s10 = V.AddInt32(s10, V.MultiplyInt16(c10, one));
            s11 = V.AddInt32(s11, V.MultiplyInt16(c11, one));
            s20 = V.AddInt32(s20, V.MultiplyInt16(c20, one));
            s21 = V.AddInt32(s21, V.MultiplyInt16(c21, one));
            s30 = V.AddInt32(s30, V.MultiplyInt16(c30, one));
            s31 = V.AddInt32(s31, V.MultiplyInt16(c31, one));
        }
        Store(s00, s01, about[0], weightScale, y);
        Store(s10, s11, about[Math.Min(1, last)], weightScale, y + Math.Min(1, last) * yRow);
        Store(s20, s21, about[Math.Min(2, last)], weightScale, y + Math.Min(2, last) * yRow);
        Store(s30, s31, about[last], weightScale, y + last * yRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(V a, V b, QuantizedRow about, float weightScale, float* target)
        where V : struct, IByteLanes<V>
    {
        var factor = TernaryScale.Factor(weightScale, about.Scale);
        V.StoreScaled(a, about.Sum, factor, target);
        V.StoreScaled(b, about.Sum, factor, target + Lanes<V>());
    }

    /// <summary>Numbers of 32 bits in a vector.</summary>
    private static int Lanes<V>()
        where V : struct, IByteLanes<V> => V.Count / sizeof(int);
}
