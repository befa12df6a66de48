namespace Zoo.MinRnn.Ops;

/// <summary>Names of the arrays of a gated scan, in an op's own words.</summary>
/// <param name="X">The candidate value.</param>
/// <param name="First">The gate.</param>
/// <param name="Initial">The state before the first step.</param>
/// <param name="Output">What comes out.</param>
internal sealed record GatedNames(string X, string First, string Initial, string Output)
{
    public string Second { get; init; } = "";

    public string OutputGate { get; init; } = "";

    /// <summary>The states, where they are not the output.</summary>
    public string States { get; init; } = "";

    public string Last { get; init; } = "";
}
