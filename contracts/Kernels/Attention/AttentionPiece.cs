namespace Zoo.Kernels;

/// <summary>Some queries of one head, which a thread takes at a time; nothing, with null pointers, where it is the default.</summary>
internal unsafe struct AttentionPiece
{
    /// <summary>The first query.</summary>
    public int First;

    /// <summary>How many.</summary>
    public int Count;

    /// <summary>The head's first query, key and value, and where its first result goes.</summary>
    public float* Q, K, V, Y;
}
