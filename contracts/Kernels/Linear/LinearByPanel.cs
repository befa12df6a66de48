using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some columns of a product with a matrix that no cache holds: each piece of it is laid out, multiplied by all rows, and never needed again.</summary>
internal unsafe struct LinearByPanel : ISimdKernel
{
    private const int PieceFloats = 24576;      // of a panel at a time: a fifth of the second cache. Longer sums end less often, which gains more than the first cache does

    public int Rows, Columns, Steps;            // of c, and how long the sums are
    public float* Strips;                       // rows as MatrixProduct.PackStrips lays them out
    public float* Weight;                       // [column, step]
    public float* C;                            // [row, column]
    public long CRow;
    public float* Start;                        // what each row's sums begin with, up to whole panels; zero where null
    public float* Next;                         // of the matrix, what will be read after these columns; null for nothing

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var blocks = Math.Max(1, (int)(((long)Steps * width + PieceFloats - 1) / PieceFloats));
        var longest = (Steps + blocks - 1) / blocks;
        var tiles = (Rows + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows;
        var panel = (float*)NativeMemory.AlignedAlloc((nuint)((longest + (long)Rows) * width + 16) * sizeof(float), 64);
        // Sums that are not finished: together they stay in the cache, which rows of c, a power of two apart perhaps, do not.
        var beside = panel + (long)longest * width;
        for (var column = 0; column < Columns; column += width)
        {
            var there = Math.Min(width, Columns - column);
            for (var block = 0; block < blocks; block++)
            {
                var first = (int)((long)Steps * block / blocks);
                var end = (int)((long)Steps * (block + 1) / blocks);
                var source = Weight + (long)column * Steps;
                MatrixProduct.PackTransposed(there, end - first, source + first, Steps, panel, width);
                var next = end < Steps ? source + end : column + width < Columns ? source + (long)width * Steps : Next;
                var ahead = new Foresight(next, width, Math.Min(longest, Steps), Steps, tiles);
                var (target, targetRow) = end == Steps && there == width ? ((nint)(C + column), CRow) : ((nint)beside, width);
                var (start, startRow) = block > 0 ? ((nint)beside, width) : ((nint)(Start == null ? null : Start + column), 0);
                MatrixProduct.RunPanel<V>(
                    Rows, end - first, Strips + (long)first * MatrixProduct.TileRows, 1, MatrixProduct.TileRows, (long)MatrixProduct.TileRows * Steps, panel,
                    (float*)target, targetRow, (float*)start, startRow, ref ahead);
            }
            for (var row = 0; row < Rows && there < width; row++)
                new Span<float>(beside + (long)row * width, there).CopyTo(new Span<float>(C + row * CRow + column, there));
        }
        NativeMemory.AlignedFree(panel);
    }
}
