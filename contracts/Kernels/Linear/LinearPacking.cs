using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Lays some of all rows out in panels, the last one filled up with zeros.</summary>
internal readonly unsafe struct LinearPacking(int rows, int first, int count, int columns, float* source, float* panels) : ISimdKernel
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var whole = columns / width * width;
        var from = source + (long)first * columns;
        for (var row = first; row < first + count; row++, from += columns)
        {
            var to = panels + (long)row * width;
            for (var column = 0; column < whole; column += width, to += (long)rows * width)
            {
                V.Load(from + column).Store(to);
                V.Load(from + column + V.Count).Store(to + V.Count);
            }
            if (whole == columns)
                continue;
            new Span<float>(from + whole, columns - whole).CopyTo(new Span<float>(to, width));
            new Span<float>(to + columns - whole, width - (columns - whole)).Clear();
        }
    }
}
