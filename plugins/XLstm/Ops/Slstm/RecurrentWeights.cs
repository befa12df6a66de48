using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>
/// A head's recurrent weights in panels as wide as a tile of the product, each panel one stretch of memory: it is read from the second cache in
/// order, and stays in the first while the rows of a group pass over it.
/// </summary>
internal readonly unsafe struct RecurrentWeights
{
    private readonly float* _panels;
    private readonly int _inner, _columns, _width;

    private RecurrentWeights(float* panels, int inner, int columns, int width)
    {
        _panels = panels;
        _inner = inner;
        _columns = columns;
        _width = width;
    }

    /// <summary>For the forward: from y [D] to pre-activations [4, padded D].</summary>
    /// <param name="weights">[4·D, D].</param>
    /// <param name="memory">D · 4 · padded D floats.</param>
    public static RecurrentWeights Forward<V>(float* weights, int dim, int padded, float* memory)
        where V : struct, ILanes<V>
    {
        var packed = new RecurrentWeights(memory, dim, 4 * padded, Width<V>(4 * padded));
        new Span<float>(memory, dim * 4 * padded).Clear();
        for (var gate = 0; gate < 4; gate++)
        {
            for (var e = 0; e < dim; e++)
            {
                var from = weights + ((long)gate * dim + e) * dim;
                for (var d = 0; d < dim; d++)
                    *packed.At(d, gate * padded + e) = from[d];
            }
        }
        return packed;
    }

    /// <summary>For the backward: from the gradients of pre-activations [4, padded D] to those of y [padded D].</summary>
    /// <param name="weights">[4·D, D].</param>
    /// <param name="memory">4 · padded D · padded D floats.</param>
    public static RecurrentWeights Backward<V>(float* weights, int dim, int padded, float* memory)
        where V : struct, ILanes<V>
    {
        var packed = new RecurrentWeights(memory, 4 * padded, padded, Width<V>(padded));
        new Span<float>(memory, 4 * padded * padded).Clear();
        for (var gate = 0; gate < 4; gate++)
        {
            for (var e = 0; e < dim; e++)
            {
                var from = weights + ((long)gate * dim + e) * dim;
                for (var d = 0; d < dim; d++)
                    *packed.At(gate * padded + e, d) = from[d];
            }
        }
        return packed;
    }

    /// <summary>target = rows · weights.</summary>
    /// <param name="rows">How many.</param>
    /// <param name="source">Rows, <paramref name="sourceRow"/> apart.</param>
    /// <param name="target">Rows as wide as there are columns.</param>
    public void Apply<V>(int rows, float* source, int sourceRow, float* target)
        where V : struct, ILanes<V>
    {
        int inner = _inner, columns = _columns, width = _width;
        var panel = _panels;
        for (var j = 0; j < columns; j += width, panel += (long)inner * width)
            TileProduct.Run<V>(rows, width, inner, source, sourceRow, 1, panel, width, target + j, columns, add: false);
    }

    private static int Width<V>(int columns)
        where V : struct, ILanes<V>
    {
        var widest = V.Count == 16 ? 4 : 2;
        while (columns % (widest * V.Count) != 0)
            widest /= 2;
        return widest * V.Count;
    }

    private float* At(int inner, int column) => _panels + ((long)(column / _width) * _inner + inner) * _width + column % _width;
}
