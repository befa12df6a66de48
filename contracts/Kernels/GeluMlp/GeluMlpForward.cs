using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The hidden numbers of some rows: a panel of the first product, and GELU of it while it is in the first cache.</summary>
internal unsafe struct GeluMlpForward : ISimdKernel
{
    public int Rows, Dim, Padded;
    public bool Tanh;
    public float* X;                            // [row, dim]
    public float* Panels;                       // W₁ᵀ, [dim, hidden] in panels
    public float* Start;                        // b₁ up to whole panels; null for none
    public float* Activations;                  // gelu, of the first of these rows in the first panel
    public float* Slopes;                       // its derivative, likewise; null where no backward follows
    public long Panel;                          // from a panel of both to the next
    public float* Next;                         // rows of x that will be read after these; null for nothing
    public int NextRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var width = MatrixProduct.PanelWidth<V>();
        var tiles = (Rows + MatrixProduct.TileRows - 1) / MatrixProduct.TileRows * (long)MatrixProduct.PanelBlocks<V>(Dim);       // of a panel
        var ahead = new Foresight(Next, NextRows, Dim, Dim, Padded / width * tiles);
        for (var column = 0; column < Padded; column += width)
        {
            var target = Activations + column / width * Panel;
            var slopes = Slopes == null ? null : Slopes + column / width * Panel;
            ahead.And(slopes, (long)Rows * width, tiles);
            MatrixProduct.RunLongPanel<V>(Rows, Dim, X, Dim, Panels + (long)column * Dim, target, Start == null ? null : Start + column, ref ahead);
            if (Tanh)
                Activate<V, TanhGelu>(target, slopes, Rows * width);
            else
                Activate<V, NormalGelu>(target, slopes, Rows * width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Activate<V, F>(float* values, float* slopes, int count)
        where V : struct, ILanes<V>
        where F : struct, IGeluForm
    {
        for (var i = 0; i < count; i += 2 * V.Count)
        {
            V a = V.Load(values + i), b = V.Load(values + i + V.Count);
            if (slopes == null)
            {
                F.Values(ref a, ref b);
            }
            else
            {
                F.ValuesAndSlopes(ref a, ref b, out var slopeA, out var slopeB);
                slopeA.Store(slopes + i);
                slopeB.Store(slopes + i + V.Count);
            }
            a.Store(values + i);
            b.Store(values + i + V.Count);
        }
    }
}
