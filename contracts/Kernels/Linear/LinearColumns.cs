using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some columns of a, transposed, times a matrix in panels; sums run over rows. And the sums of those columns.</summary>
internal unsafe struct LinearColumns : ISimdKernel
{
    private const int Most = 192;               // columns of a at a time: their part of the product stays in the second cache
    private const int Fewest = 48;              // so many are worth sharing between two threads
    private const int Ahead = 8;                // rows that are asked for before their turn: each begins elsewhere

    public int Rows;                            // how long the sums are
    public int First, Count;                    // which columns of a
    public int Columns;                         // of the matrix in panels
    public float* A;                            // [row, column of a]
    public long ARow;
    public float* Panels;                       // [row, column], in panels
    public int PanelRows;                       // rows that there is room for in a panel
    public float* C;                            // [column of a, column], or transposed
    public long CRow;
    public bool IsTransposed;
    public float* Sums;                         // of a's columns; not wanted where null
    public int NextFirst, NextCount;            // the columns that will be read after these; none where there are 0

    /// <summary>How many columns a piece has where there are so many: whole tiles, and an even number of pieces about as large.</summary>
    public static int OfAPiece(int columns)
    {
        var pieces = (columns + Most - 1) / Most;
        pieces = columns >= Fewest ? (pieces + 1) / 2 * 2 : 1;
        return (columns + pieces * MatrixProduct.TileRows - 1) / (pieces * MatrixProduct.TileRows) * MatrixProduct.TileRows;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var padded = (Columns + width - 1) / width * width;
        var strips = (Count + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows;
        var blocks = Math.Max(1, (int)(((long)Rows * width + MatrixProduct.PanelFloats - 1) / MatrixProduct.PanelFloats));
        var longest = Rows / blocks + 1;
        // A line more than a strip takes, so that strips do not lie a power of two apart.
        var stripFloats = longest * MatrixProduct.TileRows + 16;
        // Whole panels are reckoned where c has room for them, the rest and what is to be transposed beside it.
        var inPlace = IsTransposed ? 0 : Columns / width * width;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)(strips * (long)stripFloats + (long)Count * (padded - inPlace) + 16) * sizeof(float), 64);
        var beside = memory + strips * (long)stripFloats;
        if (Sums != null)
            new Span<float>(Sums + First, Count).Clear();
        for (var block = 0; block < blocks; block++)
        {
            var first = (int)((long)Rows * block / blocks);
            var count = (int)((long)Rows * (block + 1) / blocks) - first;
            Pack<V>(count, A + first * ARow + First, memory, stripFloats);
            var times = (long)padded / width * strips;
            var ahead = block + 1 < blocks
                ? new Foresight(A + (first + count) * ARow + First, longest, Count, ARow, times)
                : new Foresight(NextCount == 0 ? null : A + NextFirst, longest, NextCount, ARow, times);
            for (var column = 0; column < padded; column += width)
            {
                var panel = Panels + (long)column * PanelRows + (long)first * width;
                var following = column + width < padded ? panel + (long)PanelRows * width : block + 1 < blocks ? Panels + (long)(first + count) * width : null;
                ahead.And(following, (long)longest * width, strips);
                var (c, cRow) = column < inPlace
                    ? ((nint)(C + First * CRow + column), CRow)
                    : ((nint)(beside + (long)Count * (column - inPlace)), width);
                MatrixProduct.RunPanel<V>(
                    Count, count, memory, 1, MatrixProduct.TileRows, stripFloats, panel, (float*)c, cRow, block > 0 ? (float*)c : null, cRow, ref ahead);
            }
        }
        if (IsTransposed)
            Transpose(beside, width);
        else if (inPlace < Columns)
            Place(beside, inPlace, width);
        NativeMemory.AlignedFree(memory);
    }

    /// <summary>Lays the columns of some rows out in strips, a row after the other, and adds them up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Pack<V>(int rows, float* source, float* strips, int stripFloats)
        where V : struct, ILanes<V>
    {
        var (count, row) = (Count, ARow);
        var sums = stackalloc float[Sums == null ? 0 : count];      // of these rows alone: a long chain of additions would lose more
        new Span<float>(sums, Sums == null ? 0 : count).Clear();
        var whole = count / MatrixProduct.TileRows * MatrixProduct.TileRows;
        for (var i = 0; i < rows; i++, source += row, strips += MatrixProduct.TileRows)
        {
            if (i + Ahead < rows)
                Prefetch.Row(source + Ahead * row, count);
            var target = strips;
            var column = 0;
            // Eight at once, the last two of which the strip's next row overwrites, or they fall behind its end.
            for (; Vector256.IsHardwareAccelerated && column + Vector256<float>.Count <= whole; column += MatrixProduct.TileRows, target += stripFloats)
                Vector256.Store(Vector256.Load(source + column), target);
            for (; column < whole; column += MatrixProduct.TileRows, target += stripFloats)
            {
                Vector128.Store(Vector128.Load(source + column), target);
                Vector64.Store(Vector64.Load(source + column + 4), target + 4);
            }
            for (; column < count; column++)
                target[column - whole] = source[column];
            if (Sums == null)
                continue;
            column = 0;
            for (; column + V.Count <= count; column += V.Count)
                (V.Load(sums + column) + V.Load(source + column)).Store(sums + column);
            for (; column < count; column++)
                sums[column] += source[column];
        }
        for (var column = 0; column < count && Sums != null; column++)
            Sums[First + column] += sums[column];
    }

    /// <summary>The last columns to their place.</summary>
    private readonly void Place(float* beside, int column, int width)
    {
        for (var i = 0; i < Count; i++)
            new Span<float>(beside + (long)i * width, Columns - column).CopyTo(new Span<float>(C + (First + i) * CRow + column, Columns - column));
    }

    private readonly void Transpose(float* beside, int width)
    {
        for (var column = 0; column < Columns; column++)
        {
            var source = beside + (long)Count * (column / width * width) + column % width;
            var target = C + column * CRow + First;
            for (var i = 0; i < Count; i++)
                target[i] = source[(long)i * width];
        }
    }
}
