namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Sizes of the tiles in which scales are shared; upstream's keys.</summary>
/// <param name="BlockQ">Queries of a block: BLKQ.</param>
/// <param name="WarpQ">Queries of a warp: WARPQ.</param>
/// <param name="BlockK">Keys of a block: BLKK.</param>
/// <param name="WarpK">Keys of a warp: WARPK.</param>
internal readonly record struct Tiles(int BlockQ, int WarpQ, int BlockK, int WarpK)
{
    /// <summary>Those of upstream's kernels for sm_80 and sm_89.</summary>
    public static Tiles Default { get; } = new(BlockQ: 128, WarpQ: 32, BlockK: 64, WarpK: 64);
}
