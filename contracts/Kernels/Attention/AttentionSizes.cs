using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Sizes of one call, and how its kernel lays things out.</summary>
internal readonly record struct AttentionSizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int Dim, bool Causal, float Scale)
{
    /// <summary>Queries whose scores exist at a time: whole panels, however wide the vectors are, and whole tiles.</summary>
    public const int QueriesOfABlock = 96;

    /// <summary>Keys whose scores exist at a time: whole tiles, and the block's scores fit the first cache.</summary>
    public const int KeysOfABlock = 48;

    private const float Log2E = 1.44269504f;

    /// <summary>Columns of a panel of <see cref="MatrixProduct"/>.</summary>
    public static int PanelWidth => 2 * Simd.Bits / 32;

    /// <summary>
    /// From a key's scores to the next key's: room before each for <see cref="AttentionProducts.Hide"/>, and no power of two, so that a column does
    /// not share one place of the first cache.
    /// </summary>
    public static int ScoreStride => QueriesOfABlock + PanelWidth;

    /// <summary>Memory of a block's scores; the first of them lies a panel's width behind its beginning.</summary>
    public static int ScoreFloats => KeysOfABlock * ScoreStride + PanelWidth;

    /// <summary>From a query to the next, in q and y.</summary>
    public long QueryStride => (long)Heads * Dim;

    /// <summary>From a key to the next, in k and v.</summary>
    public long KeyStride => (long)KeyHeads * Dim;

    /// <summary>Query heads of a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Dimensions up to whole panels: from a row to the next where rows of one head lie together.</summary>
    public int RowStride => (Dim + PanelWidth - 1) / PanelWidth * PanelWidth;

    /// <summary>Factor on scores whose exponential is taken to base 2.</summary>
    public float Scale2 => Scale * Log2E;

    public static AttentionSizes Of(OpCall call) => new(
        call.Count("B"), call.Count("L"), call.Count("N"), call.Count("H"), call.Count("G"), call.Count("D"),
        Attention.IsCausal(call.Options), (float)Attention.Scale(call));

    /// <summary>How many keys a query sees: the last one stands at the last key.</summary>
    public int Seen(int query) => Causal ? Keys - Queries + query + 1 : Keys;

    /// <summary>How many panels of scores there are, of some queries in all blocks of keys.</summary>
    public int Panels(int query, int count)
    {
        var panels = 0;
        for (var end = Math.Min(query + count, Queries); query < end; query += QueriesOfABlock)
        {
            var queries = Math.Min(QueriesOfABlock, end - query);
            panels += (Seen(query + queries - 1) + KeysOfABlock - 1) / KeysOfABlock * ((queries + PanelWidth - 1) / PanelWidth);
        }
        return panels;
    }

    /// <summary>The first query that sees a key.</summary>
    public int FirstQuery(int key) => Causal ? Math.Max(0, key - (Keys - Queries)) : 0;
}
