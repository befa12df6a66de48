using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>Memory that will be read soon, asked for bit by bit while something else is reckoned, so that it has come by then.</summary>
/// <remarks>Asked for at once it would fill the processor's queue of misses, and what is reckoned would wait behind it.</remarks>
internal unsafe struct Foresight
{
    private const int LineFloats = 16;

    private readonly long _row;
    private readonly int _width, _each;
    private float* _start;
    private int _rows, _column;
    private float* _other, _otherEnd;
    private int _eachOfOther;

    /// <param name="start">The first row; null for nothing.</param>
    /// <param name="rows">How many.</param>
    /// <param name="width">Numbers of each.</param>
    /// <param name="row">From one to the next.</param>
    /// <param name="times">How often <see cref="Ask"/> will be called: the last call asks for what is left.</param>
    public Foresight(float* start, int rows, int width, long row, long times)
    {
        if (width == row)       // one long row
            (rows, width) = (Math.Min(rows, 1), rows * width);
        var lines = width / LineFloats + 1;
        _start = start;
        (_width, _row, _rows) = (width, row, start == null || width == 0 ? 0 : rows);
        _each = (int)(((long)lines * rows + times - 1) / Math.Max(1, times));
    }

    /// <summary>Asks for numbers that lie together as well, from now on, instead of what is left of others that lay together.</summary>
    /// <param name="start">The first; null for nothing.</param>
    /// <param name="count">How many.</param>
    /// <param name="times">How often <see cref="Ask"/> will be called until they are needed.</param>
    public void And(float* start, long count, long times)
    {
        _other = start;
        _otherEnd = start == null ? null : start + count;
        _eachOfOther = (int)((count / LineFloats + times) / Math.Max(1, times));
    }

    /// <summary>Asks for the next part, into the second cache: there may be more of it than the first one holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Ask()
    {
        for (var i = 0; Sse.IsSupported && i < _eachOfOther && _other < _otherEnd; i++, _other += LineFloats)
            Sse.Prefetch1(_other);
        for (var i = 0; Sse.IsSupported && i < _each && _rows > 0; i++)
        {
            Sse.Prefetch1(_start + _column);
            _column += LineFloats;
            if (_column < _width)
                continue;
            _column = 0;
            _start += _row;
            _rows--;
        }
    }
}
