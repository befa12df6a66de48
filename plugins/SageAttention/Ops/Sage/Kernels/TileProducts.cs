using System.Runtime.CompilerServices;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>The two products of quantised attention, of small whole numbers: a register multiplies twice as many int16 as it does float32, or four times as many bytes.</summary>
/// <remarks>
/// Tiles of 6 rows by 2 registers: 12 sums, two registers of columns and one number of a row fill the 16 registers of AVX2, and 8 loads feed 24
/// operations. 32 bits are a group of numbers that are multiplied with another such group and added. A matrix b lies in panels of two registers of
/// columns, [group, column].
/// </remarks>
internal static unsafe class TileProducts
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 6;

    /// <summary>Six rows of a, times b, handed over a tile at a time.</summary>
    /// <typeparam name="L">The register.</typeparam>
    /// <typeparam name="M">What a group is.</typeparam>
    /// <typeparam name="E">Where sums begin and go.</typeparam>
    /// <param name="a">The first row.</param>
    /// <param name="stride">From a row to the next, in groups.</param>
    /// <param name="b">Its first panel.</param>
    /// <param name="panelStride">From a panel to the next, in groups.</param>
    /// <param name="groups">Groups to add.</param>
    /// <param name="columns">Whole panels of columns.</param>
    /// <param name="end">Takes the sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L, M, E>(int* a, long stride, int* b, long panelStride, int groups, int columns, E end)
        where L : struct, IMixedLanes<L>
        where M : struct, IProduct<L>
        where E : struct, ITileEnd<L>
    {
        // from the end of the rows, so that counting up to zero ends the loop
        int* a0 = a + groups, a1 = a0 + stride, a2 = a1 + stride, a3 = a2 + stride, a4 = a3 + stride, a5 = a4 + stride;
        for (var column = 0; column < columns; column += 2 * L.Count, b += panelStride)
        {
            var panel = b;
            var (start0, start1) = (end.Start(column), end.Start(column + L.Count));
            L s00 = start0, s01 = start1, s10 = start0, s11 = start1, s20 = start0, s21 = start1;
            L s30 = start0, s31 = start1, s40 = start0, s41 = start1, s50 = start0, s51 = start1;
            for (nint i = -groups; i != 0; i++)
            {
                L b0 = L.Load(panel), b1 = L.Load(panel + L.Count);
                panel += 2 * L.Count;
                // Both products of a row before both sums: 7.4 cycles a turn on Zen 3, where one after the other takes 8.2.
                L x = L.Create(a0[i]), y = M.Multiply(s00, x, b0);
                x = M.Multiply(s01, x, b1);
                s00 = M.Add(s00, y);
                s01 = M.Add(s01, x);
                x = L.Create(a1[i]);
                y = M.Multiply(s10, x, b0);
                x = M.Multiply(s11, x, b1);
                s10 = M.Add(s10, y);
                s11 = M.Add(s11, x);
                x = L.Create(a2[i]);
                y = M.Multiply(s20, x, b0);
                x = M.Multiply(s21, x, b1);
                s20 = M.Add(s20, y);
                s21 = M.Add(s21, x);
                x = L.Create(a3[i]);
                y = M.Multiply(s30, x, b0);
                x = M.Multiply(s31, x, b1);
                s30 = M.Add(s30, y);
                s31 = M.Add(s31, x);
                x = L.Create(a4[i]);
                y = M.Multiply(s40, x, b0);
                x = M.Multiply(s41, x, b1);
                s40 = M.Add(s40, y);
                s41 = M.Add(s41, x);
                x = L.Create(a5[i]);
                y = M.Multiply(s50, x, b0);
                x = M.Multiply(s51, x, b1);
                s50 = M.Add(s50, y);
                s51 = M.Add(s51, x);
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
