namespace Zoo.Kernels;

/// <summary>Consecutive pieces of a list of tensors: one thread's part.</summary>
/// <param name="Entries">The whole list.</param>
/// <param name="EntryCount">How long it is.</param>
/// <param name="First">The first piece.</param>
/// <param name="End">The one after the last.</param>
/// <param name="Scale">Factor on gradients.</param>
internal readonly unsafe record struct UpdateRange(nint Entries, int EntryCount, int First, int End, float Scale)
{
    /// <summary>
    /// Numbers of a piece at most: what its arrays take fits the second cache, and a squared norm in float32 loses nothing that shows.
    /// </summary>
    public const int LongestPiece = 8192;

    /// <summary>Pieces of so many numbers.</summary>
    public static int Pieces(long count) => checked((int)((count + LongestPiece - 1) / LongestPiece));

    /// <summary>The tensor that a piece belongs to: the last one with no more pieces before it.</summary>
    public int EntryOf(int piece)
    {
        var entries = (UpdateEntry*)Entries;
        int low = 0, high = EntryCount - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (entries[middle].PiecesBefore <= piece)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }
}
