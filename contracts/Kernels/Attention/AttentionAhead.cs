using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels;

/// <summary>
/// Rows of a head in up to four arrays, which will be read or written soon, asked for bit by bit while products run. A head's rows are short and lie far
/// apart: the processor does not see them coming, and a pass over them alone would wait for each.
/// </summary>
internal unsafe struct AttentionAhead
{
    private const int LineFloats = 16;
    private const int MostFloats = 1 << 16;     // half of a second cache of 512 KB: more would drive out what is being worked with

    private readonly long _row;
    private readonly int _width, _each;
    private float* _a, _b, _c, _d;
    private int _rows;

    /// <param name="rows">How many of each.</param>
    /// <param name="width">Numbers of each.</param>
    /// <param name="row">From one to the next, in every array.</param>
    /// <param name="times">How often <see cref="Ask"/> will be called.</param>
    /// <param name="a">The first row in an array; null for none.</param>
    /// <param name="b">In another.</param>
    /// <param name="c">In another.</param>
    /// <param name="d">In another.</param>
    public AttentionAhead(int rows, int width, long row, int times, float* a, float* b, float* c = null, float* d = null)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
        (_width, _row) = (width, row);
        _rows = Math.Min(rows, MostFloats / (4 * Math.Max(1, width)));
        _each = (_rows + times - 1) / Math.Max(1, times);
    }

    /// <summary>Asks for the next few rows, into the second cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Ask()
    {
        for (var i = 0; Sse.IsSupported && i < _each && _rows > 0; i++, _rows--)
        {
            Row(ref _a);
            Row(ref _b);
            Row(ref _c);
            Row(ref _d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Row(ref float* row)
    {
        if (row == null)
            return;
        for (var i = 0; i < _width; i += LineFloats)
            Sse.Prefetch1(row + i);
        row += _row;
    }
}
