namespace Zoo.Architectures;

/// <summary>Parameters that the optimiser treats in their own way.</summary>
/// <param name="Names">Their state-dict keys.</param>
public sealed record ParameterGroup(IReadOnlyList<string> Names)
{
    /// <summary>Factor on the run's learning rate.</summary>
    public double LearningRateFactor { get; init; } = 1;

    /// <summary>Their weight decay; null for the run's.</summary>
    public double? WeightDecay { get; init; }
}
