using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.Slstm;

/// <summary>
/// A head's recurrent weights, gate by gate, in panels as wide as a tile of the product, each panel one stretch of memory: it is read from the
/// second cache in order, and stays in the first while the rows of a group pass over it.
/// </summary>
internal readonly unsafe struct RecurrentWeights
{
    private const int TileRows = 4;

    private readonly float* _panels;
    private readonly int _inner, _padded, _width;

    private RecurrentWeights(float* panels, int inner, int padded, int width)
    {
        _panels = panels;
        _inner = inner;
        _padded = padded;
        _width = width;
    }

    /// <summary>For the forward: of each gate, from y [D] to its pre-activations [padded D].</summary>
    /// <param name="weights">[4·D, D].</param>
    /// <param name="memory">4 · D · padded D floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static RecurrentWeights Forward<V>(float* weights, int dim, int padded, float* memory)
        where V : struct, ILanes<V>
    {
        var packed = Packed<V>(memory, dim, padded);
        var width = packed._width;
        for (var gate = 0; gate < 4; gate++)
        {
            for (var e = 0; e < padded; e += width)
            {
                var count = Math.Clamp(dim - e, 0, width);
                TileProduct.Transpose<V>(count, dim, weights + ((long)gate * dim + e) * dim, dim, packed.Panel(gate, e), width, width, 1);
            }
        }
        return packed;
    }

    /// <summary>What <see cref="Forward"/> left in <paramref name="memory"/>.</summary>
    public static RecurrentWeights Packed<V>(float* memory, int dim, int padded)
        where V : struct, ILanes<V> => new(memory, dim, padded, Width<V>(padded));

    /// <summary>For the backward: from the gradients of a gate's pre-activations [padded D] to those of y [padded D].</summary>
    /// <param name="weights">[4·D, D].</param>
    /// <param name="memory">4 · padded D · padded D floats.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static RecurrentWeights Backward<V>(float* weights, int dim, int padded, float* memory)
        where V : struct, ILanes<V>
    {
        var packed = new RecurrentWeights(memory, padded, padded, Width<V>(padded));
        var width = packed._width;
        new Span<float>(memory, 4 * padded * padded).Clear();
        for (var gate = 0; gate < 4; gate++)
        {
            for (var d = 0; d < dim; d += width)
            {
                var count = Math.Min(width, dim - d);
                for (var e = 0; e < dim; e++)
                    new Span<float>(weights + ((long)gate * dim + e) * dim + d, count).CopyTo(new Span<float>(packed.Panel(gate, d) + (long)e * width, count));
            }
        }
        return packed;
    }

    /// <summary>A gate's product: target = rows · weights, or added to what is there.</summary>
    /// <param name="gate">Which.</param>
    /// <param name="rows">How many.</param>
    /// <param name="source">Rows of padded D.</param>
    /// <param name="target">Likewise.</param>
    /// <param name="add">Whether it is added.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Apply<V>(int gate, int rows, float* source, float* target, bool add)
        where V : struct, ILanes<V>
    {
        int inner = _inner, padded = _padded, width = _width;
        for (var row = 0; row < rows; row += TileRows)
        {
            var count = Math.Min(TileRows, rows - row);
            float* from = source + row * padded, to = target + row * padded;
            if (width == 2 * V.Count)
                Tiles<V>(count, inner, from, padded, Panel(gate, 0), padded / width, to, add);
            else
            {
                for (var j = 0; j < padded; j += width)
                    TileProduct.Run<V>(count, width, inner, from, padded, 1, Panel(gate, j), width, to + j, padded, add);
            }
        }
    }

    /// <summary>As <see cref="TileProduct"/> has it, for all panels at once: at these sizes a call costs as much as a quarter of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tiles<V>(int rows, int inner, float* source, int padded, float* panel, int panels, float* target, bool add)
        where V : struct, ILanes<V>
    {
        long r1 = Math.Min(1, rows - 1) * (long)padded, r2 = Math.Min(2, rows - 1) * (long)padded, r3 = Math.Min(3, rows - 1) * (long)padded;
        for (var p = 0; p < panels; p++, target += 2 * V.Count)
        {
            V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero, c30 = V.Zero, c31 = V.Zero;
            if (add)
            {
                c00 = V.Load(target);
                c01 = V.Load(target + V.Count);
                c10 = V.Load(target + r1);
                c11 = V.Load(target + r1 + V.Count);
                c20 = V.Load(target + r2);
                c21 = V.Load(target + r2 + V.Count);
                c30 = V.Load(target + r3);
                c31 = V.Load(target + r3 + V.Count);
            }
            TileProduct.AddFewRows(
                inner, source, r1, r2, r3, 1, panel, 2 * V.Count, ref c00, ref c01, ref c10, ref c11, ref c20, ref c21, ref c30, ref c31);
            panel += 2L * V.Count * inner;
            // Rows that are not there are the last one once more, and store the same.
            c00.Store(target);
            c01.Store(target + V.Count);
            c10.Store(target + r1);
            c11.Store(target + r1 + V.Count);
            c20.Store(target + r2);
            c21.Store(target + r2 + V.Count);
            c30.Store(target + r3);
            c31.Store(target + r3 + V.Count);
        }
    }

    // Two vectors, or one where the head is that narrow.
    private static int Width<V>(int padded)
        where V : struct, ILanes<V> => padded % (2 * V.Count) == 0 ? 2 * V.Count : V.Count;

    private float* Panel(int gate, int column) => _panels + ((long)gate * _padded + column) * _inner;
}
