namespace Zoo.Recipes;

/// <summary>How a recipe's run ended.</summary>
/// <param name="Spec">What was asked.</param>
public sealed record RunResult(RunSpec Spec)
{
    /// <summary>Its folder.</summary>
    public string? Folder { get; init; }

    /// <summary>Metrics at the end, by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Metrics during training, in order of steps.</summary>
    public IReadOnlyList<MetricPoint> History { get; init; } = [];

    /// <summary>Why it has no metrics: the run's own last sentence. Null when it ended well.</summary>
    public string? Failure { get; init; }

    /// <summary>Wall-clock seconds of this call; 0 where an earlier one had finished it.</summary>
    public double Seconds { get; init; }

    /// <summary>CPU seconds of the training over all calls, up to its last checkpoint, so without the final evaluation; null where none says.</summary>
    public double? CpuSeconds { get; init; }
}
