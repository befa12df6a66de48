namespace Zoo.Host.Reports;

/// <summary>A curve of a chart.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="X">Where.</param>
/// <param name="Y">What; a value that is not finite leaves a gap.</param>
internal sealed record ChartCurve(string Name, IReadOnlyList<double> X, IReadOnlyList<double> Y)
{
    private const int MostPoints = 600;
    private const int MostReach = 200;

    /// <summary>For the end of its line, where there is less room.</summary>
    public string? ShortName { get; init; }

    /// <summary>Which colour of the palette, from 0; beyond its end lines are dashed.</summary>
    public int Color { get; init; }

    /// <summary>How much it stands out.</summary>
    public CurveWeight Weight { get; init; }

    /// <summary>Whether its points are marked: few, and measured one by one.</summary>
    public bool IsMarked { get; init; }

    /// <summary>
    /// Mean over neighbours, as many on each side, so that nothing moves sideways; at the end over those before, so that the last value is
    /// no single record's.
    /// </summary>
    public static double[] Smooth(IReadOnlyList<double> values)
    {
        var reach = Math.Min(values.Count / 40, MostReach);
        return [.. values.Select((_, i) =>
        {
            var side = Math.Min(reach, i);
            return values.Skip(i - side).Take(2 * side + 1).Average();
        })];
    }

    /// <summary>Its points, some left out where there are more than a line can show.</summary>
    public IEnumerable<(double X, double Y)> Points()
    {
        var stride = Math.Max(1, (int)Math.Ceiling(X.Count / (double)MostPoints));
        for (var i = 0; i < X.Count; i += stride)
            yield return (X[i], Y[i]);
        if (X.Count > 0 && (X.Count - 1) % stride != 0)
            yield return (X[^1], Y[^1]);
    }
}
