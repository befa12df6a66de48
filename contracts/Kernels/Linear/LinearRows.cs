using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some rows of a product with a matrix in panels.</summary>
internal unsafe struct LinearRows : ISimdKernel
{
    public int Rows, Columns, Steps;            // of c, and how long the sums are
    public float* A;                            // [row, step], or the first of these rows in a's first panel
    public long APanel;                         // where a lies in panels: from one to the next; else 0
    public float* Panels;                       // [step, column], in panels
    public float* C;                            // [row, column]
    public float* Start;                        // what each row's sums begin with, up to whole panels; zero where null
    public bool Add;                            // to what c holds, instead
    public float* Next;                         // the rows that will be read after these, which lie as they do; null for nothing
    public int NextRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var whole = Columns / width * width;
        var rest = Columns - whole;
        var last = stackalloc float[rest > 0 ? Rows * width : 0];      // the last columns' tile, which c has no room for
        var blocks = Math.Max(1, (Steps * width + MatrixProduct.PanelFloats - 1) / MatrixProduct.PanelFloats);
        var tiles = (long)blocks * ((Columns + width - 1) / width) * ((Rows + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows);
        var ahead = APanel == 0
            ? new Foresight(Next, NextRows, Steps, Steps, tiles)
            : new Foresight(NextRows == 0 ? null : Next, (Steps + width - 1) / width, NextRows * width, APanel, tiles);
        var (aRow, aRun) = APanel == 0 ? (Steps, int.MaxValue) : (width, width);
        for (int block = 0, first = 0, end; block < blocks; block++, first = end)
        {
            end = block + 1 == blocks ? Steps : (int)((long)Steps * (block + 1) / blocks) / width * width;      // between a's panels, where it has some
            var count = end - first;
            var a = APanel == 0 ? A + first : A + first / width * APanel;
            var goesOn = block > 0 || Add;
            for (var column = 0; column < whole; column += width)
            {
                var panel = Panels + (long)column * Steps + (long)first * width;
                var (start, startRow) = goesOn ? ((nint)(C + column), (long)Columns) : ((nint)(Start == null ? null : Start + column), 0);
                MatrixProduct.RunPanel<V>(
                    Rows, count, a, aRow, 1, MatrixProduct.TileRows * aRow, panel, C + column, Columns, (float*)start, startRow, ref ahead, aRun, APanel);
            }
            if (rest == 0)
                continue;
            if (block == 0 && Add)
            {
                for (var row = 0; row < Rows; row++)
                {
                    new Span<float>(C + (long)row * Columns + whole, rest).CopyTo(new Span<float>(last + row * width, rest));
                    new Span<float>(last + row * width + rest, width - rest).Clear();
                }
            }
            var begin = goesOn ? last : Start == null ? null : Start + whole;
            MatrixProduct.RunPanel<V>(
                Rows, count, a, aRow, 1, MatrixProduct.TileRows * aRow, Panels + (long)whole * Steps + (long)first * width, last, width,
                begin, goesOn ? width : 0, ref ahead, aRun, APanel);
        }
        for (var row = 0; row < Rows && rest > 0; row++)
            new Span<float>(last + row * width, rest).CopyTo(new Span<float>(C + (long)row * Columns + whole, rest));
    }
}
