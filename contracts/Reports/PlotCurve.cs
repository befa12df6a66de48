using System.Text.Json.Serialization;

namespace Zoo.Reports;

/// <summary>A curve of a plot.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="X">Ascending.</param>
/// <param name="Y">As many; a value that is not finite leaves a gap.</param>
public sealed record PlotCurve(
    string Name,
    [property: JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)] IReadOnlyList<double> X,
    [property: JsonNumberHandling(JsonNumberHandling.AllowNamedFloatingPointLiterals)] IReadOnlyList<double> Y)
{
    /// <summary>Curves of one group have one colour, such as the seeds of one arm.</summary>
    public string? Group { get; init; }
}
