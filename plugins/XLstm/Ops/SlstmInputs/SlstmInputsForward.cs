using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.SlstmInputs;

/// <summary>The gates of some rows.</summary>
internal unsafe struct SlstmInputsForward : ISimdKernel
{
    /// <summary>Whole tiles of rows, which stay in the second cache from head to head.</summary>
    public const int RowsOfBlock = 48;

    public SlstmInputsSizes Sizes;
    public int First, Count;
    public float* Conv, X;                  // [row, head, dim]
    public float* Weights;                  // [gate, head, in, out], out up to whole vectors
    public float* Gates;                    // [row, gate, head, dim]

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, width = Sizes.Width, rowOfGates = SlstmInputs.GateCount * width;
        var tile = ThreadScratch.Of(padded == dim ? 0 : RowsOfBlock * padded, 1).Take(padded == dim ? 0 : RowsOfBlock * padded);
        for (var first = First; first < First + Count; first += RowsOfBlock)
        {
            var rows = Math.Min(RowsOfBlock, First + Count - first);
            for (var place = 0; place < SlstmInputs.GateCount * Sizes.Heads; place++)
            {
                var (gate, head) = (place / Sizes.Heads, place % Sizes.Heads);
                var from = (gate < 2 ? Conv : X) + (long)first * width + head * dim;
                var to = Gates + (long)first * rowOfGates + place * dim;
                var weights = Weights + (long)place * dim * padded;
                if (padded == dim)
                {
                    TileProduct.Run<V>(rows, dim, dim, from, width, 1, weights, dim, to, rowOfGates, add: false);
                    continue;
                }
                TileProduct.Run<V>(rows, padded, dim, from, width, 1, weights, padded, tile, padded, add: false);
                Copy(tile, padded, to, rowOfGates, rows, dim);
            }
        }
    }

    /// <summary>Rows of some numbers from one place to another.</summary>
    public static void Copy(float* source, long sourceRow, float* target, long targetRow, int rows, int count)
    {
        for (var row = 0; row < rows; row++)
            new Span<float>(source + row * sourceRow, count).CopyTo(new Span<float>(target + row * targetRow, count));
    }
}
