namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Where the int32 sums of a tile begin, and what becomes of them.</summary>
internal interface ITileEnd<L>
    where L : struct, IMixedLanes<L>
{
    /// <summary>What a register of columns begins with.</summary>
    L Start(int column);

    /// <summary>Takes two registers of sums of a row.</summary>
    /// <param name="row">Which of the tile's.</param>
    /// <param name="column">The first column.</param>
    /// <param name="low">From that column on.</param>
    /// <param name="high">Behind those.</param>
    void Take(int row, int column, L low, L high);
}
