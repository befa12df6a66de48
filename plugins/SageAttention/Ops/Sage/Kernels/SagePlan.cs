namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>How attention is quantised.</summary>
/// <param name="QueryGroups">Which queries share a scale.</param>
/// <param name="KeyGroups">Which keys share a scale.</param>
/// <param name="Rounding">How they are rounded.</param>
internal sealed record SagePlan(SageGroups QueryGroups, SageGroups KeyGroups, SageRounding Rounding)
{
    /// <summary>Whether keys are quantised without their mean over tokens.</summary>
    public bool SmoothsKeys { get; init; } = true;

    /// <summary>Queries whose mean is taken off them together, and whose scores get it back; 0 for none.</summary>
    public int SmoothedQueries { get; init; }

    /// <summary>Whether values are quantised without their mean over tokens.</summary>
    public bool SmoothsValues { get; init; }

    /// <summary>Whether queries are multiplied with the scores' factor and log2 e before they are quantised, instead of after.</summary>
    public bool ScalesQueriesFirst { get; init; }
}
