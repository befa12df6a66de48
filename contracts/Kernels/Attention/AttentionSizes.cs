using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Sizes of one call, and how its kernel lays things out.</summary>
internal readonly record struct AttentionSizes(int Batch, int Queries, int Keys, int Heads, int KeyHeads, int Dim, bool Causal, float Scale)
{
    /// <summary>Columns of a panel of <see cref="MatrixProduct"/>.</summary>
    public static int PanelWidth => 2 * Simd.Bits / 32;

    /// <summary>From a query to the next, in q and y.</summary>
    public long QueryStride => (long)Heads * Dim;

    /// <summary>From a key to the next, in k and v.</summary>
    public long KeyStride => (long)KeyHeads * Dim;

    /// <summary>Query heads of a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Keys up to whole panels.</summary>
    public int PaddedKeys => Whole(Keys);

    /// <summary>Dimensions up to whole panels.</summary>
    public int PaddedDim => Whole(Dim);

    /// <summary>From a row of scores to the next: no power of two, so that a column does not share one place of the first cache.</summary>
    public int ScoreStride => PaddedKeys + 16;

    public static AttentionSizes Of(OpCall call) => new(
        call.Count("B"), call.Count("L"), call.Count("N"), call.Count("H"), call.Count("G"), call.Count("D"),
        Attention.IsCausal(call.Options), (float)Attention.Scale(call));

    /// <summary>How many keys a query sees: the last one stands at the last key.</summary>
    public int Seen(int query) => Causal ? Keys - Queries + query + 1 : Keys;

    private static int Whole(int count) => (count + PanelWidth - 1) / PanelWidth * PanelWidth;
}
