using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.SlstmInputs;

/// <summary>The backward of some rows; gradients of the weights are these rows' part.</summary>
internal unsafe struct SlstmInputsBackward : ISimdKernel
{
    private const int RowsOfBlock = SlstmInputsForward.RowsOfBlock;
    private const int Ahead = 8;            // rows asked for before their turn: each begins elsewhere

    public SlstmInputsSizes Sizes;
    public int First, Count;
    public float* Conv, X;                  // [row, head, dim]
    public float* Weights;                  // [gate, head, out, in], in up to whole vectors
    public float* Grads;                    // [row, gate, head, dim]
    public float* GradConv, GradX;          // null: not wanted
    public float* Part;                     // as the weights; null: not wanted

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int dim = Sizes.Dim, padded = Sizes.Padded, width = Sizes.Width, heads = Sizes.Heads;
        if (Part != null)
            new Span<float>(Part, checked((int)(SlstmInputs.GateCount * Sizes.WeightsOfGate))).Clear();
        var scratch = ThreadScratch.Of(RowsOfBlock * (dim + 2L * padded), 3);
        float* grads = scratch.Take(RowsOfBlock * dim), inputs = scratch.Take(RowsOfBlock * padded), tile = scratch.Take(RowsOfBlock * padded);
        if (padded != dim)
            new Span<float>(inputs, RowsOfBlock * padded).Clear();
        for (var first = First; first < First + Count; first += RowsOfBlock)
        {
            var rows = Math.Min(RowsOfBlock, First + Count - first);
            for (var head = 0; head < heads; head++)
            {
                for (var gate = 0; gate < SlstmInputs.GateCount; gate++)
                {
                    var (source, target) = gate < 2 ? ((nint)Conv, (nint)GradConv) : ((nint)X, (nint)GradX);
                    var place = (long)(gate * heads + head);
                    var at = (long)first * width + head * dim;
                    Gather(Grads + SlstmInputs.GateCount * (long)first * width + place * dim, SlstmInputs.GateCount * width, grads, rows, dim);
                    if (target != 0)
                    {
                        var (to, row) = padded == dim ? ((nint)((float*)target + at), width) : ((nint)tile, padded);
                        TileProduct.Run<V>(rows, padded, dim, grads, dim, 1, Weights + place * dim * padded, padded, (float*)to, row, add: gate % 2 == 1);
                        if (padded != dim && gate % 2 == 1)
                            SlstmInputsForward.Copy(tile, padded, (float*)target + at, width, rows, dim);
                    }
                    if (Part == null)
                        continue;
                    if (gate % 2 == 0)
                        SlstmInputsForward.Copy((float*)source + at, width, inputs, padded, rows, dim);
                    TileProduct.Run<V>(dim, padded, rows, grads, 1, dim, inputs, padded, Part + place * dim * padded, padded, add: true);
                }
            }
        }
    }

    /// <summary>Rows that lie far apart, together: a page or a power of two between them would drive each other out of the first cache.</summary>
    private static void Gather(float* source, long sourceRow, float* target, int rows, int dim)
    {
        for (var row = 0; row < rows; row++)
        {
            if (row + Ahead < rows)
                Prefetch.Row(source + (row + Ahead) * sourceRow, dim);
            new Span<float>(source + row * sourceRow, dim).CopyTo(new Span<float>(target + row * dim, dim));
        }
    }
}
