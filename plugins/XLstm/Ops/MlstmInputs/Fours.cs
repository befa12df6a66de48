using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>
/// A block-diagonal matrix of blocks of four, as the published models have it, as four vectors of all channels: y[j] = Σ_i column_i[j] x[4 ⌊j/4⌋ + i]. What a
/// product takes of x is then one number of every four, repeated, which is one instruction on registers.
/// </summary>
internal static unsafe class Fours
{
    /// <summary>Channels of a block.</summary>
    public const int Block = 4;

    /// <summary>The columns of the blocks, [4, width], from [block, out, in].</summary>
    public static void Columns(int width, float* weights, float* columns)
    {
        for (var j = 0; j < width; j += Block)
            Square.Transpose(weights + (long)j * Block, Block, columns + j, width, 1);
    }

    /// <summary>The rows of the blocks, [4, width]: the columns of the transposed matrix.</summary>
    public static void Rows(int width, float* weights, float* rows)
    {
        for (var j = 0; j < width; j++)
        {
            for (var o = 0; o < Block; o++)
                rows[(long)o * width + j] = weights[(long)(j / Block * Block + o) * Block + j % Block];
        }
    }

    /// <summary>The way back from <see cref="Columns"/>, for gradients.</summary>
    public static void FromColumns(int width, float* columns, float* weights)
    {
        for (var j = 0; j < width; j += Block)
            Square.Transpose(columns + j, width, weights + (long)j * Block, Block, 1);
    }
}
