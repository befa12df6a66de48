namespace Zoo.Tasks;

/// <summary>A measured value.</summary>
/// <param name="Name">In snake_case, with its unit where it has one: "test_error_percent".</param>
/// <param name="Value">The value.</param>
/// <param name="Count">How many examples or targets it is the mean of.</param>
public sealed record Metric(string Name, double Value, long Count);
