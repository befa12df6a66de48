namespace Zoo.Host.Verification;

/// <summary>What a property found: nothing, or why it does not hold.</summary>
/// <param name="Problem">Why it does not hold, in a sentence; null when it does.</param>
internal sealed record PropertyOutcome(string? Problem)
{
    /// <summary>It holds.</summary>
    public static PropertyOutcome Holds { get; } = new((string?)null);

    /// <summary>Whether it could not be asked here; <see cref="Problem"/> says why.</summary>
    public bool NotAsked { get; init; }

    /// <summary>The largest difference that was measured; null where nothing was.</summary>
    public double? MaxAbsoluteError { get; init; }

    /// <summary>Where it was.</summary>
    public Deviation? Worst { get; init; }

    /// <summary>It does not hold.</summary>
    public static PropertyOutcome Fails(string problem) => new(problem);

    /// <summary>It could not be asked here.</summary>
    public static PropertyOutcome CannotAsk(string reason) => new(reason) { NotAsked = true };

    /// <summary>It holds when the comparison found both equal.</summary>
    /// <param name="comparison">What was compared.</param>
    /// <param name="meaning">What a difference means, in a sentence.</param>
    public static PropertyOutcome Of(TensorComparison comparison, string meaning) =>
        new(comparison.Problem is null ? null : $"{meaning} {comparison.Problem}")
        {
            MaxAbsoluteError = comparison.MaxAbsoluteError,
            Worst = comparison.Worst,
        };

    /// <summary>The first that does not hold, or the one with the largest difference.</summary>
    public static PropertyOutcome Worse(PropertyOutcome first, PropertyOutcome second)
    {
        if (first.Problem is not null)
            return first;
        return second.Problem is not null || (second.MaxAbsoluteError ?? -1) > (first.MaxAbsoluteError ?? -1) ? second : first;
    }
}
