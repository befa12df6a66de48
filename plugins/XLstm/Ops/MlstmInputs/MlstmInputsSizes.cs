using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>The sizes of a call.</summary>
/// <param name="Batch">Sequences: what threads share.</param>
/// <param name="Length">Time.</param>
/// <param name="Width">Channels.</param>
/// <param name="Block">Channels of a block of the weights.</param>
/// <param name="Heads">Heads.</param>
internal readonly unsafe record struct MlstmInputsSizes(int Batch, int Length, int Width, int Block, int Heads)
{
    /// <summary>Steps that are taken together, so that weights are loaded once for several: two tiles of the gates' products.</summary>
    public const int Steps = 2 * TileProduct.Rows;

    public int HeadDim => Width / Heads;

    /// <summary>Input gates, then forget gates.</summary>
    public int Gates => 2 * Heads;

    /// <summary>Gates as whole groups of four.</summary>
    public int GateRow => (Gates + 3) / 4 * 4;

    /// <summary>Whether blocks are of four channels, in whole vectors to a head, for which there are shorter ways (<see cref="Fours"/>).</summary>
    public bool AreFours => Block == Fours.Block && HeadDim % (Simd.Bits / 32) == 0;

    /// <summary>Vectors of channels that make the block-diagonal matrix: its diagonals that are not all zero, or four columns.</summary>
    public int Bands => AreFours ? Fours.Block : 2 * Block - 1;

    /// <summary>Channels as whole vectors.</summary>
    public int Padded => Up(Width);

    /// <summary>A row with room for a block's reach on either side.</summary>
    public int RowSize => Padded + 2 * Up(Block);

    /// <summary>Where the row's first channel stands.</summary>
    public int RowStart => Up(Block);

    /// <summary>Floats of a matrix as diagonals.</summary>
    public int BandSize => Bands * Padded;

    public static MlstmInputsSizes Of(OpCall call) =>
        new(call.Count("B"), call.Count("L"), checked((int)(call.Size("N") * call.Size("K"))), call.Count("K"), call.Count("H"));

    /// <summary>Room for some rows, with zeros in and around them; gives the first one's first channel.</summary>
    public float* TakeRows(ThreadScratch scratch, int count)
    {
        var rows = scratch.Take((long)count * RowSize);
        new Span<float>(rows, count * RowSize).Clear();
        return rows + RowStart;
    }

    /// <summary>Rows where heads lie together, into <see cref="TakeRows"/>'s.</summary>
    public void LoadRows<V>(float* source, int count, float* rows)
        where V : struct, ILanes<V>
    {
        for (var t = 0; t < count; t++)
            Rows.Copy<V>(source + (long)t * Width, rows + (long)t * RowSize, Width);
    }

    /// <summary>Rows into an array where heads lie apart, [batch, head, time, dim].</summary>
    public void Apart<V>(float* rows, int row, int count, int sequence, int start, float* target)
        where V : struct, ILanes<V>
    {
        for (var h = 0; h < Heads; h++)
        {
            var to = target + (((long)sequence * Heads + h) * Length + start) * HeadDim;
            for (var t = 0; t < count; t++)
                Rows.Copy<V>(rows + (long)t * row + h * HeadDim, to + (long)t * HeadDim, HeadDim);
        }
    }

    /// <summary>The way back.</summary>
    public void Together<V>(float* source, int sequence, int start, int count, float* rows, int row)
        where V : struct, ILanes<V>
    {
        for (var h = 0; h < Heads; h++)
        {
            var from = source + (((long)sequence * Heads + h) * Length + start) * HeadDim;
            for (var t = 0; t < count; t++)
                Rows.Copy<V>(from + (long)t * HeadDim, rows + (long)t * row + h * HeadDim, HeadDim);
        }
    }

    /// <summary>A gate's weights for each head, [head, 3 · width], with q, k and v as whole vectors, [head, 3 · padded].</summary>
    public void PadGates(float* weights, float* padded) => Rows.Load(weights, 3 * Heads, Width, padded, Padded);

    private static int Up(int count)
    {
        var lanes = Simd.Bits / 32;
        return (count + lanes - 1) / lanes * lanes;
    }
}
