using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>
/// Products of small matrices, for kernels that multiply what they have in cache (attention, cross-entropy, pieces of a layer's product in `linear`).
/// </summary>
/// <remarks>
/// Tiles of 6 rows by 2 vectors in registers: 12 sums that do not wait for each other, 8 loads for 12 multiply-adds, and they fit the 16
/// registers of AVX2; tiles of 4 rows where 6 do not fit. Every element is summed over k in order, so that nothing depends on tiles, or on how
/// rows are shared among threads.
/// </remarks>
internal static unsafe class MatrixProduct
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 6;

    /// <summary>Numbers of a panel that are multiplied at a time: half of the first cache.</summary>
    public const int PanelFloats = 4096;

    private const int Rows = 4;
    private const int NoPanels = int.MaxValue;      // steps of k that a goes on for without a jump
    private const int Ahead = 8;        // rows asked for before their turn where they may lie far apart

    /// <summary>Steps of k at a time: two vectors of so many rows of b are 32 KB, the first cache.</summary>
    private const int Steps = 256;

    /// <summary>c[i, j] = Σ_k a[i, k] b[k, j], added to what is there or in its place.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="n">Columns of b and c.</param>
    /// <param name="k">Columns of a and rows of b.</param>
    /// <param name="a">Element (i, k) at i·<paramref name="aRow"/> + k·<paramref name="aStep"/>: a transposed matrix has step and row exchanged.</param>
    /// <param name="aRow">From a row of a to the next.</param>
    /// <param name="aStep">From a column of a to the next.</param>
    /// <param name="b">Columns lie together.</param>
    /// <param name="bRow">From a row of b to the next.</param>
    /// <param name="c">Columns lie together.</param>
    /// <param name="cRow">From a row of c to the next.</param>
    /// <param name="add">Whether the product is added to c.</param>
    public static void Run<V>(int m, int n, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        if (k == 0 && !add)
        {
            for (var i = 0; i < m; i++)
                new Span<float>(c + i * cRow, n).Clear();
        }
        for (var first = 0; first < k; first += Steps)
            Block<V>(m, n, Math.Min(Steps, k - first), a + first * aStep, aRow, aStep, b + first * bRow, bRow, c, cRow, add || first > 0 ? c : null, cRow);
    }

    /// <summary>c[i, j] = start[i, j] + Σ_k a[i, k] panel[k, j] in one whole panel, which should fit the first cache: a piece of a larger product.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="k">Columns of a and rows of the panel.</param>
    /// <param name="a">As for <see cref="Run"/>.</param>
    /// <param name="aRow">From a row of a to the next.</param>
    /// <param name="aStep">From a column of a to the next.</param>
    /// <param name="aTile">From a tile of six rows to the next.</param>
    /// <param name="panel">[k, width].</param>
    /// <param name="c">[m, width].</param>
    /// <param name="cRow">From a row of c to the next.</param>
    /// <param name="start">What the sums begin with; zero where null. It may be c.</param>
    /// <param name="startRow">From a row of it to the next; 0 for one row that all begin with.</param>
    /// <param name="ahead">What comes after the product; a part of it is asked for with every tile.</param>
    /// <param name="aRun">Where a lies in panels: their width, after which its next column is <paramref name="aPanel"/> from the panel's first.</param>
    /// <param name="aPanel">From a panel of a to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunPanel<V>(
        int m, int k, float* a, long aRow, long aStep, long aTile, float* panel, float* c, long cRow, float* start, long startRow, ref Foresight ahead,
        int aRun = NoPanels, long aPanel = 0)
        where V : struct, ILanes<V>
    {
        var aJump = aRun == NoPanels ? 0 : aPanel - aRun * aStep;
        var width = PanelWidth<V>();
        var row = 0;
        for (; row + TileRows <= m; row += TileRows, a += aTile, c += TileRows * cRow, start = At(start, TileRows * startRow))
        {
            Prefetch.Column(c, TileRows, cRow, width);      // before the sums that go there: they take longer than it
            ahead.Ask();
            SixByTwo<V>(k, a, aRow, aStep, aRun, aJump, panel, width, c, cRow, start, startRow);
        }
        for (; row < m; row += Rows, a += Rows * aRow, c += Rows * cRow, start = At(start, Rows * startRow))
        {
            ahead.Ask();
            FourByTwo<V>(Math.Min(Rows, m - row), k, a, aRow, aStep, aRun, aJump, panel, width, c, cRow, start, startRow);
        }
    }

    /// <summary>c = start + a·panel in one whole panel of any length: as many of its rows at a time as fit the first cache.</summary>
    /// <param name="m">Rows of a and c.</param>
    /// <param name="k">Columns of a, which lie together, and rows of the panel.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="aRow">From a row of a to the next.</param>
    /// <param name="panel">[k, width].</param>
    /// <param name="c">[m, width], rows together.</param>
    /// <param name="start">One row that all sums begin with; zero where null.</param>
    /// <param name="ahead">A part of it is asked for with every tile, <see cref="PanelBlocks"/> times the tiles of m in all.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RunLongPanel<V>(int m, int k, float* a, long aRow, float* panel, float* c, float* start, ref Foresight ahead)
        where V : struct, ILanes<V>
    {
        var width = PanelWidth<V>();
        var steps = PanelFloats / width;
        for (int block = 0, blocks = PanelBlocks<V>(k); block < blocks; block++)
        {
            var first = block * steps;
            RunPanel<V>(
                m, Math.Min(steps, k - first), a + first, aRow, 1, TileRows * aRow, panel + (long)first * width, c, width,
                block > 0 ? c : start, block > 0 ? width : 0, ref ahead);
        }
    }

    /// <summary>In how many parts <see cref="RunLongPanel"/> takes a panel of so many rows.</summary>
    public static int PanelBlocks<V>(int k)
        where V : struct, ILanes<V> => Math.Max(1, (k + PanelFloats / PanelWidth<V>() - 1) / (PanelFloats / PanelWidth<V>()));

    /// <summary>The same with b in panels, each as wide as a tile: (k, j) at (j / width)·rows·width + k·width + j % width.</summary>
    /// <remarks>
    /// Rows of b that lie a power of two apart share few places of the first cache and drive each other out; in a panel they lie together.
    /// </remarks>
    public static void RunPanels<V>(int m, int n, int k, float* a, long aRow, long aStep, float* panels, int panelRows, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        var width = PanelWidth<V>();
        for (var j = 0; j < n; j += width)
            Run<V>(m, Math.Min(width, n - j), k, a, aRow, aStep, panels + (long)j * panelRows, width, c + j, cRow, add);
    }

    /// <summary>Columns of a panel.</summary>
    public static int PanelWidth<V>()
        where V : struct, ILanes<V> => 2 * V.Count;

    /// <summary>Lays rows out in panels, the last one filled up with zeros. A width is a multiple of eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(int rows, int columns, float* source, long sourceRow, float* panels, int width)
    {
        for (var j = 0; j < columns; j += width)
        {
            var count = Math.Min(width, columns - j);
            var from = source + j;
            for (var i = 0; i < rows; i++, from += sourceRow, panels += width)
            {
                if (i + Ahead < rows)
                    Prefetch.Row(from + Ahead * sourceRow, count);
                var x = 0;
                for (; x + 8 <= count; x += 8)
                    Vector256.Store(Vector256.Load(from + x), panels + x);
                for (; x < count; x++)
                    panels[x] = from[x];
                for (; x < width; x++)
                    panels[x] = 0;
            }
        }
    }

    /// <summary>Lays the transposed matrix out in panels: its rows become columns; the last panel is filled up with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackTransposed(int rows, int columns, float* source, long sourceRow, float* panels, int width)
    {
        var i = 0;
        for (; i + 4 <= rows; i += 4)       // four at once: their numbers lie together in the panel
        {
            float* r0 = source + i * sourceRow, r1 = r0 + sourceRow, r2 = r1 + sourceRow, r3 = r2 + sourceRow;
            if (i + 2 * Ahead <= rows)
            {
                Prefetch.Row(r0 + Ahead * sourceRow, columns);
                Prefetch.Row(r1 + Ahead * sourceRow, columns);
                Prefetch.Row(r2 + Ahead * sourceRow, columns);
                Prefetch.Row(r3 + Ahead * sourceRow, columns);
            }
            var to = panels + (long)(i / width) * width * columns + i % width;
            var j = 0;
            for (; Sse.IsSupported && j + 4 <= columns; j += 4, to += 4 * width)
            {
                var (s0, s1, s2, s3) = (Vector128.Load(r0 + j), Vector128.Load(r1 + j), Vector128.Load(r2 + j), Vector128.Load(r3 + j));
                var (low, high) = (Sse.UnpackLow(s0, s1), Sse.UnpackHigh(s0, s1));
                var (low2, high2) = (Sse.UnpackLow(s2, s3), Sse.UnpackHigh(s2, s3));
                Sse.MoveLowToHigh(low, low2).Store(to);
                Sse.MoveHighToLow(low2, low).Store(to + width);
                Sse.MoveLowToHigh(high, high2).Store(to + 2 * width);
                Sse.MoveHighToLow(high2, high).Store(to + 3 * width);
            }
            for (; j < columns; j++, to += width)
                Vector128.Create(r0[j], r1[j], r2[j], r3[j]).Store(to);
        }
        for (; i < rows; i++)
        {
            float* from = source + i * sourceRow, to = panels + (long)(i / width) * width * columns + i % width;
            for (var j = 0; j < columns; j++, to += width)
                *to = from[j];
        }
        if (rows % width == 0)
            return;
        var last = panels + (long)(rows / width) * width * columns;
        for (var j = 0; j < columns; j++)
            new Span<float>(last + j * width + rows % width, width - rows % width).Clear();
    }

    /// <summary>Lays rows out in strips of a tile's rows, (i, k) at i / 6·6·columns + k·6 + i % 6: a tile reads them as one stream. The last strip may have fewer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackStrips(int rows, int columns, float* source, long sourceRow, float* strips)
    {
        var i = 0;
        for (; i + TileRows <= rows; i += TileRows, strips += (long)TileRows * columns)
        {
            float* r0 = source + i * sourceRow, r1 = r0 + sourceRow, r2 = r1 + sourceRow, r3 = r2 + sourceRow, r4 = r3 + sourceRow, r5 = r4 + sourceRow;
            var to = strips;
            var j = 0;
            for (; Sse.IsSupported && j + 4 <= columns; j += 4, to += 4 * TileRows)
            {
                var (s0, s1, s2, s3) = (Vector128.Load(r0 + j), Vector128.Load(r1 + j), Vector128.Load(r2 + j), Vector128.Load(r3 + j));
                var (s4, s5) = (Vector128.Load(r4 + j), Vector128.Load(r5 + j));
                var (low, high) = (Sse.UnpackLow(s0, s1), Sse.UnpackHigh(s0, s1));
                var (low2, high2) = (Sse.UnpackLow(s2, s3), Sse.UnpackHigh(s2, s3));
                var (low3, high3) = (Sse.UnpackLow(s4, s5), Sse.UnpackHigh(s4, s5));
                Sse.MoveLowToHigh(low, low2).Store(to);
                Sse.StoreLow(to + 4, low3);
                Sse.MoveHighToLow(low2, low).Store(to + TileRows);
                Sse.StoreHigh(to + TileRows + 4, low3);
                Sse.MoveLowToHigh(high, high2).Store(to + 2 * TileRows);
                Sse.StoreLow(to + 2 * TileRows + 4, high3);
                Sse.MoveHighToLow(high2, high).Store(to + 3 * TileRows);
                Sse.StoreHigh(to + 3 * TileRows + 4, high3);
            }
            for (; j < columns; j++, to += TileRows)
                (to[0], to[1], to[2], to[3], to[4], to[5]) = (r0[j], r1[j], r2[j], r3[j], r4[j], r5[j]);
        }
        for (var row = i; row < rows; row++)
        {
            for (var j = 0; j < columns; j++)
                strips[(long)j * TileRows + row - i] = source[row * sourceRow + j];
        }
    }

    /// <summary>c[i, j] = Σ_k a[i, k] b[k, j], added to what is there or in its place, where row i of a has <paramref name="first"/> + i steps, at most <paramref name="k"/>.</summary>
    /// <remarks>
    /// What lies behind a row's end, up to the longest row of its tile, must be zero in a; n is whole panels, and b should fit the first cache. Causal
    /// attention has such products.
    /// </remarks>
    public static void RunGrowing<V>(int m, int n, int k, int first, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, bool add)
        where V : struct, ILanes<V>
    {
        for (var j = 0; j < n; j += PanelWidth<V>())
            TwoVectors<V>(m, k, first, a, aRow, aStep, b + j, bRow, c + j, cRow, add ? c + j : null, cRow);
    }

    private static void Block<V>(int m, int n, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, float* start, long startRow)
        where V : struct, ILanes<V>
    {
        var j = 0;
        for (; j + 2 * V.Count <= n; j += 2 * V.Count)
            TwoVectors<V>(m, k, k, a, aRow, aStep, b + j, bRow, c + j, cRow, At(start, j), startRow);
        for (; j + V.Count <= n; j += V.Count)
            OneVector<V>(m, k, k, a, aRow, aStep, b + j, bRow, c + j, cRow, At(start, j), startRow);
        if (j < n)
            Columns(m, n - j, k, a, aRow, aStep, b + j, bRow, c + j, cRow, At(start, j), startRow);
    }

    // Row i has first + i steps, within 0 and k.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoVectors<V>(int m, int k, int first, float* a, long aRow, long aStep, float* panel, long bRow, float* c, long cRow, float* start, long startRow)
        where V : struct, ILanes<V>
    {
        var row = 0;
        while (row < m)
        {
            var left = m - row;
            var rows = left >= TileRows && left != 2 * Rows ? TileRows : Math.Min(Rows, left);
            var steps = Math.Clamp(first + row + rows - 1, 0, k);
            if (rows == TileRows)
                SixByTwo<V>(steps, a + row * aRow, aRow, aStep, NoPanels, 0, panel, bRow, c + row * cRow, cRow, At(start, row * startRow), startRow);
            else
                FourByTwo<V>(rows, steps, a + row * aRow, aRow, aStep, NoPanels, 0, panel, bRow, c + row * cRow, cRow, At(start, row * startRow), startRow);
            row += rows;
        }
    }

    // After each run of steps a jumps.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixByTwo<V>(int steps, float* a, long aRow, long aStep, int run, long jump, float* b, long bRow, float* c, long cRow, float* start, long startRow)
        where V : struct, ILanes<V>
    {
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c40 = V.Zero, c41 = V.Zero, c50 = V.Zero, c51 = V.Zero;
        long r2 = 2 * aRow, r3 = 3 * aRow, r4 = 4 * aRow, r5 = 5 * aRow;      // one pointer moves, whatever the strides are
        for (; steps > 0; steps -= run, a += jump)
        {
            var count = Math.Min(run, steps);
            var i = 0;
            for (; i + 4 <= count; i += 4)      // four at a time: fewer moves between registers, and short sums end without a branch that nobody foresaw
            {
                Step();
                Step();
                Step();
                Step();
            }
            for (; i < count; i++)
                Step();
        }
        Keep(c00, c01, c, start);
        Keep(c10, c11, c + cRow, At(start, startRow));
        Keep(c20, c21, c + 2 * cRow, At(start, 2 * startRow));
        Keep(c30, c31, c + 3 * cRow, At(start, 3 * startRow));
        Keep(c40, c41, c + 4 * cRow, At(start, 4 * startRow));
        Keep(c50, c51, c + 5 * cRow, At(start, 5 * startRow));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Step()
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Count);
            var x = V.Create(*a);
            V.AddProduct(x, b0, ref c00);
            V.AddProduct(x, b1, ref c01);
            x = V.Create(a[aRow]);
            V.AddProduct(x, b0, ref c10);
            V.AddProduct(x, b1, ref c11);
            x = V.Create(a[r2]);
            V.AddProduct(x, b0, ref c20);
            V.AddProduct(x, b1, ref c21);
            x = V.Create(a[r3]);
            V.AddProduct(x, b0, ref c30);
            V.AddProduct(x, b1, ref c31);
            x = V.Create(a[r4]);
            V.AddProduct(x, b0, ref c40);
            V.AddProduct(x, b1, ref c41);
            x = V.Create(a[r5]);
            V.AddProduct(x, b0, ref c50);
            V.AddProduct(x, b1, ref c51);
            a += aStep;
            b += bRow;
        }
    }

    // Rows that a has not are the last one once more: reckoned, and not stored.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourByTwo<V>(int rows, int steps, float* a, long aRow, long aStep, int run, long jump, float* b, long bRow, float* c, long cRow, float* start, long startRow)
        where V : struct, ILanes<V>
    {
        var last = rows - 1;
        long r1 = Math.Min(1, last) * aRow, r2 = Math.Min(2, last) * aRow, r3 = last * aRow;
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero, c30 = V.Zero, c31 = V.Zero;
        for (; steps > 0; steps -= run, a += jump)
        {
            for (var i = Math.Min(run, steps); i > 0; i--)
            {
                V b0 = V.Load(b), b1 = V.Load(b + V.Count);
                var x = V.Create(*a);
                V.AddProduct(x, b0, ref c00);
                V.AddProduct(x, b1, ref c01);
                x = V.Create(a[r1]);
                V.AddProduct(x, b0, ref c10);
                V.AddProduct(x, b1, ref c11);
                x = V.Create(a[r2]);
                V.AddProduct(x, b0, ref c20);
                V.AddProduct(x, b1, ref c21);
                x = V.Create(a[r3]);
                V.AddProduct(x, b0, ref c30);
                V.AddProduct(x, b1, ref c31);
                a += aStep;
                b += bRow;
            }
        }
        Keep(c00, c01, c, start);
        if (last > 0)
            Keep(c10, c11, c + cRow, At(start, startRow));
        if (last > 1)
            Keep(c20, c21, c + 2 * cRow, At(start, 2 * startRow));
        if (last > 2)
            Keep(c30, c31, c + 3 * cRow, At(start, 3 * startRow));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneVector<V>(int m, int k, int first, float* a, long aRow, long aStep, float* panel, long bRow, float* c, long cRow, float* start, long startRow)
        where V : struct, ILanes<V>
    {
        for (var row = 0; row < m; row += Rows, a += Rows * aRow, c += Rows * cRow, start = At(start, Rows * startRow))
        {
            var last = Math.Min(Rows, m - row) - 1;
            var steps = Math.Clamp(first + row + last, 0, k);
            float* a0 = a, a1 = a + Math.Min(1, last) * aRow, a2 = a + Math.Min(2, last) * aRow, a3 = a + last * aRow;
            var b = panel;
            V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero, c3 = V.Zero;
            for (var i = 0; i < steps; i++)
            {
                var b0 = V.Load(b);
                c0 = V.MultiplyAdd(V.Create(*a0), b0, c0);
                c1 = V.MultiplyAdd(V.Create(*a1), b0, c1);
                c2 = V.MultiplyAdd(V.Create(*a2), b0, c2);
                c3 = V.MultiplyAdd(V.Create(*a3), b0, c3);
                a0 += aStep;
                a1 += aStep;
                a2 += aStep;
                a3 += aStep;
                b += bRow;
            }
            Keep(c0, c, start);
            if (last > 0)
                Keep(c1, c + cRow, At(start, startRow));
            if (last > 1)
                Keep(c2, c + 2 * cRow, At(start, 2 * startRow));
            if (last > 2)
                Keep(c3, c + 3 * cRow, At(start, 3 * startRow));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V first, V second, float* target, float* start)
        where V : struct, ILanes<V>
    {
        if (start != null)
        {
            first += V.Load(start);
            second += V.Load(start + V.Count);
        }
        first.Store(target);
        second.Store(target + V.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V sum, float* target, float* start)
        where V : struct, ILanes<V> => (start != null ? sum + V.Load(start) : sum).Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* At(float* start, long offset) => start == null ? null : start + offset;

    /// <summary>The last columns, fewer than a vector holds.</summary>
    private static void Columns(int m, int n, int k, float* a, long aRow, long aStep, float* b, long bRow, float* c, long cRow, float* start, long startRow)
    {
        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var sum = 0f;
                for (var l = 0; l < k; l++)
                    sum = MathF.FusedMultiplyAdd(a[i * aRow + l * aStep], b[l * bRow + j], sum);
                c[i * cRow + j] = start != null ? start[i * startRow + j] + sum : sum;
            }
        }
    }
}
