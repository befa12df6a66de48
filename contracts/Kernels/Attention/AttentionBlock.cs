namespace Zoo.Kernels;

/// <summary>Some queries of a head and some keys, whose scores exist at a time. Places are counted from the block's first query and key.</summary>
internal readonly record struct AttentionBlock(AttentionSizes Sizes, int Query, int Queries, int Key, int Keys)
{
    /// <summary>How many of its keys the queries before <paramref name="end"/>, or before its own end, see.</summary>
    public int Seen(int end) => Math.Clamp(Sizes.Seen(Query + Math.Min(end, Queries) - 1) - Key, 0, Keys);

    /// <summary>Keys that every query sees.</summary>
    public int SeenByAll => Seen(1);

    /// <summary>The first query that sees a key.</summary>
    public int FirstQuery(int key) => Math.Max(0, Sizes.FirstQuery(Key + key) - Query);
}
