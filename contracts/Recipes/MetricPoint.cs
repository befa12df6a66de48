namespace Zoo.Recipes;

/// <summary>A metric during training.</summary>
/// <param name="Step">After how many steps.</param>
/// <param name="Name">The metric.</param>
/// <param name="Value">Its value.</param>
public sealed record MetricPoint(long Step, string Name, double Value);
