namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>What becomes of the int32 sums of a tile.</summary>
internal interface ITileEnd<L>
    where L : struct, IMixedLanes<L>
{
    /// <summary>Takes two registers of sums of a row.</summary>
    /// <param name="row">Which of the tile's.</param>
    /// <param name="column">The first column.</param>
    /// <param name="low">From that column on.</param>
    /// <param name="high">Behind those.</param>
    void Take(int row, int column, L low, L high);
}
