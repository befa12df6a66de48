using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>The two products of quantised attention, of int16 by pairs: a register multiplies twice as many of them as it does float32.</summary>
/// <remarks>
/// Tiles of 6 rows by 2 registers: 12 sums, two registers of columns and one number of a row fill the 16 registers of AVX2, and 8 loads feed 24
/// operations. A matrix b lies in panels of two registers of columns, [pair, column, 2].
/// </remarks>
internal static unsafe class PairProducts
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 6;

    /// <summary>Six rows of a, times b, handed over a tile at a time.</summary>
    /// <param name="a">The first row, of int16.</param>
    /// <param name="stride">From a row to the next, in pairs of numbers.</param>
    /// <param name="b">Its first panel.</param>
    /// <param name="panelStride">From a panel to the next.</param>
    /// <param name="pairs">Pairs to add.</param>
    /// <param name="columns">Whole panels of columns.</param>
    /// <param name="end">Takes the sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L, E>(short* a, long stride, short* b, long panelStride, int pairs, int columns, E end)
        where L : struct, IMixedLanes<L>
        where E : struct, ITileEnd<L>
    {
        int* a0 = (int*)a, a1 = a0 + stride, a2 = a1 + stride, a3 = a2 + stride, a4 = a3 + stride, a5 = a4 + stride;
        for (var column = 0; column < columns; column += 2 * L.Count, b += panelStride)
        {
            var panel = b;
            L s00 = L.Zero, s01 = L.Zero, s10 = L.Zero, s11 = L.Zero, s20 = L.Zero, s21 = L.Zero;
            L s30 = L.Zero, s31 = L.Zero, s40 = L.Zero, s41 = L.Zero, s50 = L.Zero, s51 = L.Zero;
            for (nint i = 0; i < pairs; i++)
            {
                L b0 = L.Load(panel), b1 = L.Load(panel + 2 * L.Count);
                panel += 4 * L.Count;
                var x = L.Create(a0[i]);
                s00 = L.AddPairs(s00, x, b0);
                s01 = L.AddPairs(s01, x, b1);
                x = L.Create(a1[i]);
                s10 = L.AddPairs(s10, x, b0);
                s11 = L.AddPairs(s11, x, b1);
                x = L.Create(a2[i]);
                s20 = L.AddPairs(s20, x, b0);
                s21 = L.AddPairs(s21, x, b1);
                x = L.Create(a3[i]);
                s30 = L.AddPairs(s30, x, b0);
                s31 = L.AddPairs(s31, x, b1);
                x = L.Create(a4[i]);
                s40 = L.AddPairs(s40, x, b0);
                s41 = L.AddPairs(s41, x, b1);
                x = L.Create(a5[i]);
                s50 = L.AddPairs(s50, x, b0);
                s51 = L.AddPairs(s51, x, b1);
            }
            end.Take(0, column, s00, s01);
            end.Take(1, column, s10, s11);
            end.Take(2, column, s20, s21);
            end.Take(3, column, s30, s31);
            end.Take(4, column, s40, s41);
            end.Take(5, column, s50, s51);
        }
    }
}
