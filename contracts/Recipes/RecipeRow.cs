namespace Zoo.Recipes;

/// <summary>A row of the paper's table beside ours.</summary>
/// <param name="Row">Its name.</param>
/// <param name="Metric">What is measured.</param>
/// <param name="Verdict">What came of it.</param>
/// <param name="Reason">Why that verdict: the band or ordering, and where the set-up is smaller or other than the paper's.</param>
public sealed record RecipeRow(string Row, string Metric, RecipeVerdict Verdict, string Reason)
{
    /// <summary>The paper's number.</summary>
    public double? Paper { get; init; }

    /// <summary>The original code's own number.</summary>
    public double? Reference { get; init; }

    /// <summary>Ours, one value a seed; empty where it was not attempted.</summary>
    public IReadOnlyList<double> Ours { get; init; } = [];

    /// <summary>Mean over seeds.</summary>
    public double? Mean => Ours.Count == 0 ? null : Ours.Average();

    /// <summary>Sample standard deviation over seeds; null below two.</summary>
    public double? StandardDeviation => Ours.Count < 2 ? null : Math.Sqrt(Ours.Sum(v => Math.Pow(v - Ours.Average(), 2)) / (Ours.Count - 1));
}
