namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Which tokens share a scale, from the most to one.</summary>
internal enum Granularity
{
    /// <summary>All tokens of a head; in the paper's table 6 only, upstream has no kernel of it.</summary>
    PerTensor,

    /// <summary>Blocks of BLKQ queries and BLKK keys.</summary>
    PerBlock,

    /// <summary>Tiles of WARPQ queries, and blocks of BLKK keys.</summary>
    PerWarp,

    /// <summary>What one thread of a tensor core holds of a tile of WARPQ queries and of WARPK keys (paper, section 3.2).</summary>
    PerThread,

    /// <summary>Each token its own.</summary>
    PerToken,
}
