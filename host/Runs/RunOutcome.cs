using Zoo.Tasks;

namespace Zoo.Host.Runs;

/// <summary>How a training ended.</summary>
/// <param name="Steps">Steps done.</param>
/// <param name="Metrics">Held-out metrics at the end; empty when it was interrupted.</param>
/// <param name="TrainSeconds">Seconds of training over all sessions, evaluations and checkpoints left out.</param>
/// <param name="Interrupted">Whether it was asked to end early.</param>
/// <param name="Unsaved">What the disk said to the last checkpoint; null when it was written.</param>
internal sealed record RunOutcome(
    long Steps, IReadOnlyList<Metric> Metrics, double TrainSeconds, bool Interrupted, EnvironmentException? Unsaved)
{
    /// <summary>Tokens, or samples, a second of training in this session; null where it made no step.</summary>
    public double? TokensPerSecond { get; init; }

    /// <summary>CPU seconds over all sessions, starts, evaluations and checkpoints included.</summary>
    public required double CpuSeconds { get; init; }

    /// <summary>The most memory that the process had resident; a GPU's own is not in it.</summary>
    public required long PeakMemoryBytes { get; init; }
}
