namespace Zoo.Tasks;

/// <summary>A token sequence being written, with targets at some of its positions. What is not written stays padding.</summary>
public sealed class TokenRow
{
    private readonly long[] _ids;
    private readonly int _width;
    private readonly long _padding;
    private readonly List<long> _positions = [];
    private readonly List<long> _targets = [];
    private int _start;
    private int _scoredBefore;

    /// <summary>An empty row.</summary>
    /// <param name="width">Places.</param>
    /// <param name="padding">What they hold until they are written.</param>
    public TokenRow(int width, long padding) : this(rows: 1, width, padding)
    {
    }

    internal TokenRow(int rows, int width, long padding)
    {
        (_ids, _width, _padding) = (new long[rows * width], width, padding);
        Array.Fill(_ids, padding);
    }

    /// <summary>Tokens written so far.</summary>
    public int Length { get; private set; }

    /// <summary>The tokens written so far.</summary>
    public Span<long> Ids => _ids.AsSpan(_start, Length);

    /// <summary>Appends a token.</summary>
    /// <exception cref="InvalidOperationException">The row is full: the generator writes more than it said.</exception>
    public void Add(long id)
    {
        if (Length == _width)
            throw new InvalidOperationException($"The row has {_width} places and all are written.");
        _ids[_start + Length++] = id;
    }

    /// <summary>Appends <paramref name="count"/> places that hold padding, to be written in any order.</summary>
    /// <exception cref="InvalidOperationException">The row is full: the generator writes more than it said.</exception>
    public Span<long> Append(int count)
    {
        if (Length + count > _width)
            throw new InvalidOperationException($"The row has {_width} places; {Length} are written and {count} more are wanted.");
        Length += count;
        return _ids.AsSpan(_start + Length - count, count);
    }

    /// <summary>The id expected after the token that was added last.</summary>
    public void Score(long target) => Score(Length - 1, target);

    /// <summary>The id expected at a position.</summary>
    /// <param name="position">A place that was written, from 0.</param>
    /// <param name="target">The id.</param>
    public void Score(int position, long target)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(position, Length);
        _positions.Add(_start + position);
        _targets.Add(target);
    }

    /// <summary>Starts over: nothing is written or scored.</summary>
    public void Clear()
    {
        Ids.Fill(_padding);
        Length = 0;
        _positions.RemoveRange(_scoredBefore, _positions.Count - _scoredBefore);
        _targets.RemoveRange(_scoredBefore, _targets.Count - _scoredBefore);
    }

    /// <summary>Goes to a row, which is empty.</summary>
    internal void Begin(int row) => (_start, Length, _scoredBefore) = (row * _width, 0, _positions.Count);

    /// <summary>What was written and scored.</summary>
    internal (long[] Ids, long[] Positions, long[] Targets) Written => (_ids, [.. _positions], [.. _targets]);
}
