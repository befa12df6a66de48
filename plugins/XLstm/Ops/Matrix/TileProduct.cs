using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.Matrix;

/// <summary>Products of matrices that lie in cache: what the chunks of mLSTM and the recurrent weights of sLSTM need.</summary>
/// <remarks>
/// A tile of 6 rows by 4 vectors keeps 24 sums in registers where there are 32 of them (512 bits), by 2 vectors elsewhere: for 24
/// multiply-adds 4 vectors are loaded and 6 numbers spread, so that the multiply-add port is what limits. Every element is summed over k in
/// order, whatever the tile, so that results do not depend on how rows are shared among tiles or threads.
/// </remarks>
internal static unsafe class TileProduct
{
    /// <summary>Rows of a tile.</summary>
    public const int Rows = 6;

    private const int FewRows = 4;      // of a lower tile, for what is left and for small batches

    /// <summary>c[i, j] = Σ_k a[i, k] b[k, j], added to what is there or in its place.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="n">Columns of b and c: whole vectors.</param>
    /// <param name="k">Columns of a and rows of b.</param>
    /// <param name="a">Element (i, k) at i·<paramref name="aRow"/> + k·<paramref name="aStep"/>: a transposed matrix has them exchanged.</param>
    /// <param name="aRow">From a row of a to the next.</param>
    /// <param name="aStep">From a column of a to the next.</param>
    /// <param name="b">Columns lie together.</param>
    /// <param name="bRow">From a row of b to the next.</param>
    /// <param name="c">Columns lie together.</param>
    /// <param name="cRow">From a row of c to the next.</param>
    /// <param name="add">Whether the product is added to c.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<V>(int m, int n, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        var j = 0;
        var tile = m % Rows is 1 or 2 ? FewRows : Rows;     // 8 rows are two tiles of 4, and not 6 and 2
        for (; V.Count == 16 && j + 4 * V.Count <= n; j += 4 * V.Count)
        {
            for (var i = 0; i < m; i += tile)
            {
                var rows = Math.Min(tile, m - i);
                if (rows > FewRows)
                    FourVectors<V>(rows, k, a + i * aRow, aRow, aStep, b + j, bRow, c + i * cRow + j, cRow, add);
                else
                    FewRowsFourVectors<V>(rows, k, a + i * aRow, aRow, aStep, b + j, bRow, c + i * cRow + j, cRow, add);
            }
        }
        for (; j + 2 * V.Count <= n; j += 2 * V.Count)
        {
            for (var i = 0; i < m; i += tile)
            {
                var rows = Math.Min(tile, m - i);
                if (rows > FewRows)
                    TwoVectors<V>(rows, k, a + i * aRow, aRow, aStep, b + j, bRow, c + i * cRow + j, cRow, add);
                else
                    FewRowsTwoVectors<V>(rows, k, a + i * aRow, aRow, aStep, b + j, bRow, c + i * cRow + j, cRow, add);
            }
        }
        for (; j < n; j += V.Count)
        {
            for (var i = 0; i < m; i += Rows)
                OneVector<V>(Math.Min(Rows, m - i), k, a + i * aRow, aRow, aStep, b + j, bRow, c + i * cRow + j, cRow, add);
        }
    }

    /// <summary>target[j, i] = factor · source[i, j]; columns of the target from <paramref name="rows"/> to <paramref name="padded"/> become zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Transpose<V>(int rows, int columns, float* source, long sourceRow, float* target, long targetRow, int padded, float factor)
        where V : struct, ILanes<V>
    {
        var whole = V.Count * (rows / V.Count);
        for (var i = 0; i < whole; i += V.Count)
            TransposeBlock(V.Count, columns, source + i * sourceRow, sourceRow, target + i, targetRow, factor);
        for (var i = whole; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
                target[j * targetRow + i] = factor * source[i * sourceRow + j];
        }
        for (var j = 0; j < columns && rows < padded; j++)
            new Span<float>(target + j * targetRow + rows, padded - rows).Clear();
    }

    // A multiple of four rows: squares of four by four, turned in registers where the machine has the instructions.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeBlock(int rows, int columns, float* source, long sourceRow, float* target, long targetRow, float factor)
    {
        for (var i = 0; i < rows; i += 4)
        {
            float* from = source + i * sourceRow, to = target + i;
            var j = 0;
            for (; j + 4 <= columns; j += 4)
                Square.Transpose(from + j, sourceRow, to + j * targetRow, targetRow, factor);
            for (; j < columns; j++)
            {
                for (var r = 0; r < 4; r++)
                    to[j * targetRow + r] = factor * from[r * sourceRow + j];
            }
        }
    }

    // Rows that a has not are its last one once more: reckoned, and not stored.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourVectors<V>(int rows, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * aRow, r2 = Math.Min(2, rows - 1) * aRow, r3 = Math.Min(3, rows - 1) * aRow;
        long r4 = Math.Min(4, rows - 1) * aRow, r5 = Math.Min(5, rows - 1) * aRow;
        V c00 = V.Zero, c01 = V.Zero, c02 = V.Zero, c03 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero, c12 = V.Zero, c13 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero, c22 = V.Zero, c23 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c32 = V.Zero, c33 = V.Zero;
        V c40 = V.Zero, c41 = V.Zero, c42 = V.Zero, c43 = V.Zero;
        V c50 = V.Zero, c51 = V.Zero, c52 = V.Zero, c53 = V.Zero;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count), b2 = V.Load(b + 2 * V.Count), b3 = V.Load(b + 3 * V.Count);
            Add(a[0], b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
            Add(a[r1], b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);
            Add(a[r2], b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
            Add(a[r3], b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
            Add(a[r4], b0, b1, b2, b3, ref c40, ref c41, ref c42, ref c43);
            Add(a[r5], b0, b1, b2, b3, ref c50, ref c51, ref c52, ref c53);
            a += aStep;
            b += bRow;
        }
        Keep(c00, c01, c02, c03, c, add);
        if (rows > 1)
            Keep(c10, c11, c12, c13, c + cRow, add);
        if (rows > 2)
            Keep(c20, c21, c22, c23, c + 2 * cRow, add);
        if (rows > 3)
            Keep(c30, c31, c32, c33, c + 3 * cRow, add);
        if (rows > 4)
            Keep(c40, c41, c42, c43, c + 4 * cRow, add);
        if (rows > 5)
            Keep(c50, c51, c52, c53, c + 5 * cRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoVectors<V>(int rows, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * aRow, r2 = Math.Min(2, rows - 1) * aRow, r3 = Math.Min(3, rows - 1) * aRow;
        long r4 = Math.Min(4, rows - 1) * aRow, r5 = Math.Min(5, rows - 1) * aRow;
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c40 = V.Zero, c41 = V.Zero, c50 = V.Zero, c51 = V.Zero;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count);
            Add(a[0], b0, b1, ref c00, ref c01);
            Add(a[r1], b0, b1, ref c10, ref c11);
            Add(a[r2], b0, b1, ref c20, ref c21);
            Add(a[r3], b0, b1, ref c30, ref c31);
            Add(a[r4], b0, b1, ref c40, ref c41);
            Add(a[r5], b0, b1, ref c50, ref c51);
            a += aStep;
            b += bRow;
        }
        Keep(c00, c01, c, add);
        if (rows > 1)
            Keep(c10, c11, c + cRow, add);
        if (rows > 2)
            Keep(c20, c21, c + 2 * cRow, add);
        if (rows > 3)
            Keep(c30, c31, c + 3 * cRow, add);
        if (rows > 4)
            Keep(c40, c41, c + 4 * cRow, add);
        if (rows > 5)
            Keep(c50, c51, c + 5 * cRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FewRowsFourVectors<V>(int rows, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * aRow, r2 = Math.Min(2, rows - 1) * aRow, r3 = Math.Min(3, rows - 1) * aRow;
        V c00 = V.Zero, c01 = V.Zero, c02 = V.Zero, c03 = V.Zero;
        V c10 = V.Zero, c11 = V.Zero, c12 = V.Zero, c13 = V.Zero;
        V c20 = V.Zero, c21 = V.Zero, c22 = V.Zero, c23 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c32 = V.Zero, c33 = V.Zero;
        for (var i = 0; i < k; i++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count), b2 = V.Load(b + 2 * V.Count), b3 = V.Load(b + 3 * V.Count);
            Add(a[0], b0, b1, b2, b3, ref c00, ref c01, ref c02, ref c03);
            Add(a[r1], b0, b1, b2, b3, ref c10, ref c11, ref c12, ref c13);
            Add(a[r2], b0, b1, b2, b3, ref c20, ref c21, ref c22, ref c23);
            Add(a[r3], b0, b1, b2, b3, ref c30, ref c31, ref c32, ref c33);
            a += aStep;
            b += bRow;
        }
        Keep(c00, c01, c02, c03, c, add);
        if (rows > 1)
            Keep(c10, c11, c12, c13, c + cRow, add);
        if (rows > 2)
            Keep(c20, c21, c22, c23, c + 2 * cRow, add);
        if (rows > 3)
            Keep(c30, c31, c32, c33, c + 3 * cRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FewRowsTwoVectors<V>(int rows, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * aRow, r2 = Math.Min(2, rows - 1) * aRow, r3 = Math.Min(3, rows - 1) * aRow;
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero, c30 = V.Zero, c31 = V.Zero;
        AddFewRows(k, a, r1, r2, r3, aStep, b, bRow, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
        Keep(c00, c01, c, add);
        if (rows > 1)
            Keep(c10, c11, c + cRow, add);
        if (rows > 2)
            Keep(c20, c21, c + 2 * cRow, add);
        if (rows > 3)
            Keep(c30, c31, c + 3 * cRow, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneVector<V>(int rows, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * aRow, r2 = Math.Min(2, rows - 1) * aRow, r3 = Math.Min(3, rows - 1) * aRow;
        long r4 = Math.Min(4, rows - 1) * aRow, r5 = Math.Min(5, rows - 1) * aRow;
        V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero, c3 = V.Zero, c4 = V.Zero, c5 = V.Zero;
        for (var i = 0; i < k; i++)
        {
            var b0 = V.Load(b);
            c0 = V.MultiplyAdd(V.Create(a[0]), b0, c0);
            c1 = V.MultiplyAdd(V.Create(a[r1]), b0, c1);
            c2 = V.MultiplyAdd(V.Create(a[r2]), b0, c2);
            c3 = V.MultiplyAdd(V.Create(a[r3]), b0, c3);
            c4 = V.MultiplyAdd(V.Create(a[r4]), b0, c4);
            c5 = V.MultiplyAdd(V.Create(a[r5]), b0, c5);
            a += aStep;
            b += bRow;
        }
        Keep(c0, c, add);
        if (rows > 1)
            Keep(c1, c + cRow, add);
        if (rows > 2)
            Keep(c2, c + 2 * cRow, add);
        if (rows > 3)
            Keep(c3, c + 3 * cRow, add);
        if (rows > 4)
            Keep(c4, c + 4 * cRow, add);
        if (rows > 5)
            Keep(c5, c + 5 * cRow, add);
    }

    /// <summary>Adds to four rows by two vectors of sums what all of k gives; rows of a stand at a, <paramref name="r1"/> and so on behind it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void AddFewRows<V>(
        int k, float* a, long r1, long r2, long r3, long aStep, float* b, long bRow,
        ref V c00, ref V c01, ref V c10, ref V c11, ref V c20, ref V c21, ref V c30, ref V c31)
        where V : struct, ILanes<V>
    {
        for (var i = 0; i < k; i++, a += aStep, b += bRow)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count);
            Add(a[0], b0, b1, ref c00, ref c01);
            Add(a[r1], b0, b1, ref c10, ref c11);
            Add(a[r2], b0, b1, ref c20, ref c21);
            Add(a[r3], b0, b1, ref c30, ref c31);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float number, V b0, V b1, ref V c0, ref V c1)
        where V : struct, ILanes<V>
    {
        var x = V.Create(number);
        c0 = V.MultiplyAdd(x, b0, c0);
        c1 = V.MultiplyAdd(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<V>(float number, V b0, V b1, V b2, V b3, ref V c0, ref V c1, ref V c2, ref V c3)
        where V : struct, ILanes<V>
    {
        Add(number, b0, b1, ref c0, ref c1);
        Add(number, b2, b3, ref c2, ref c3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V s0, V s1, V s2, V s3, float* target, bool add)
        where V : struct, ILanes<V>
    {
        Keep(s0, s1, target, add);
        Keep(s2, s3, target + 2 * V.Count, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V s0, V s1, float* target, bool add)
        where V : struct, ILanes<V>
    {
        Keep(s0, target, add);
        Keep(s1, target + V.Count, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V sum, float* target, bool add)
        where V : struct, ILanes<V> => (add ? sum + V.Load(target) : sum).Store(target);
}
