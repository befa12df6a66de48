namespace Zoo.Host.Training;

/// <summary>
/// Which training example comes when. Examples are one stream, pass after pass; a batch may span two passes. The k-th example is a
/// function of seed and k, so a position in the data is just a number.
/// </summary>
/// <param name="count">Examples a pass; null where they never end and come by their numbers.</param>
/// <param name="shuffle">Whether each pass has an order of its own.</param>
/// <param name="seed">The run's seed.</param>
internal sealed class ExampleOrder(long? count, bool shuffle, int seed)
{
    private long _pass = -1;
    private long[] _order = [];

    /// <summary>The examples at <paramref name="position"/> and after it.</summary>
    /// <param name="position">How many examples came before.</param>
    /// <param name="indices">Filled with their numbers.</param>
    public void Fill(long position, Span<long> indices)
    {
        for (var i = 0; i < indices.Length; i++)
            indices[i] = At(position + i);
    }

    private long At(long position)
    {
        if (count is not { } perPass)
            return position;
        var (pass, place) = Math.DivRem(position, perPass);
        if (!shuffle)
            return place;
        if (pass != _pass)
        {
            _order = RandomStreams.Permutation(seed, pass, perPass);
            _pass = pass;
        }
        return _order[place];
    }
}
