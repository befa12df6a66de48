namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>Sizes of one call.</summary>
/// <param name="Heads">Query heads, a multiple of <paramref name="KeyHeads"/>.</param>
/// <param name="Before">Keys that the first query sees beyond the first one, where attention is causal; may be negative.</param>
internal readonly record struct SageSizes(int Batch, int Heads, int KeyHeads, int Queries, int Keys, int Dim, bool IsCausal, int Before)
{
    /// <summary>Keys that are worked on at a time: what they and their values take lies in the first cache.</summary>
    public const int KeysOfATile = 64;

    /// <summary>Query heads of a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Tiles of keys.</summary>
    public int Tiles => (Keys + KeysOfATile - 1) / KeysOfATile;

    /// <summary>Pairs of dimensions.</summary>
    public int DimPairs => (Dim + 1) / 2;

    /// <summary>Fours of dimensions.</summary>
    public int DimQuads => (Dim + 3) / 4;

    /// <summary>Dimensions up to whole panels of two registers.</summary>
    public int PaddedDim(int width) => (Dim + width - 1) / width * width;

    /// <summary>How many keys a query sees.</summary>
    public int Seen(int query) => IsCausal ? (int)Math.Clamp(query + 1L + Before, 0, Keys) : Keys;
}
