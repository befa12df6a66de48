using Zoo.Kernels;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>The sizes of a call.</summary>
/// <param name="Batch">Sequences: what threads share.</param>
/// <param name="Length">Time.</param>
/// <param name="Width">Channels.</param>
/// <param name="Block">Channels of a block of the weights.</param>
/// <param name="Heads">Heads.</param>
internal readonly record struct MlstmInputsSizes(int Batch, int Length, int Width, int Block, int Heads)
{
    public int HeadDim => Width / Heads;

    /// <summary>Diagonals of the block-diagonal matrix that are not all zero.</summary>
    public int Bands => 2 * Block - 1;

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

    private static int Up(int count)
    {
        var lanes = Simd.Bits / 32;
        return (count + lanes - 1) / lanes * lanes;
    }
}
