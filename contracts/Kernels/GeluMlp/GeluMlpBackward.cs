using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Gradients of some rows' numbers before GELU: a panel of ȳ W₂, and the slopes times it while it is in the first cache; and their sums.</summary>
internal unsafe struct GeluMlpBackward : ISimdKernel
{
    public int Rows, Outputs, Padded;
    public float* GradY;                        // [row, output]
    public float* Panels;                       // W₂, [output, hidden] in panels
    public float* Slopes;                       // of the first of these rows in the first panel
    public float* GradHidden;                   // likewise
    public long Panel;                          // from a panel of both to the next
    public float* Sums;                         // of these rows alone, up to whole panels; null where not wanted
    public float* Next;                         // rows of ȳ that will be read after these; null for nothing
    public int NextRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var tiles = (Rows + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows * (long)MatrixProduct.PanelBlocks<V>(Outputs);   // of a panel
        var ahead = new Foresight(Next, NextRows, Outputs, Outputs, Padded / width * tiles);
        for (var column = 0; column < Padded; column += width)
        {
            var target = GradHidden + column / width * Panel;
            var slopes = Slopes + column / width * Panel;
            ahead.And(slopes, (long)Rows * width, tiles);
            MatrixProduct.RunLongPanel<V>(Rows, Outputs, GradY, Outputs, Panels + (long)column * Outputs, target, null, ref ahead);
            Scale<V>(target, slopes, Rows, Sums == null ? null : Sums + column);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<V>(float* values, float* slopes, int rows, float* sums)
        where V : struct, ILanes<V>
    {
        V sum = V.Zero, otherSum = V.Zero;
        for (var i = 0; i < rows * 2 * V.Count; i += 2 * V.Count)
        {
            V a = V.Load(values + i) * V.Load(slopes + i), b = V.Load(values + i + V.Count) * V.Load(slopes + i + V.Count);
            a.Store(values + i);
            b.Store(values + i + V.Count);
            sum += a;
            otherSum += b;
        }
        if (sums == null)
            return;
        sum.Store(sums);
        otherSum.Store(sums + V.Count);
    }
}
