namespace Zoo.Host.Tasks;

/// <summary>The largest batch that fits into an array.</summary>
internal static class BatchLimit
{
    /// <summary>Requires that a batch fits into an array.</summary>
    /// <param name="count">Examples.</param>
    /// <param name="width">Values of one.</param>
    /// <exception cref="UserException">It does not.</exception>
    public static void Require(int count, int width)
    {
        if ((long)count * width > Array.MaxLength)
            throw new UserException($"A batch of {count:N0} examples of {width:N0} values is too large; lower --batch-size.");
    }
}
