using Zoo.Reports;

namespace Zoo.Host.Reports;

/// <summary>A line chart before it has a size.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="XTitle">What the horizontal axis is.</param>
/// <param name="YTitle">What the vertical axis is.</param>
/// <param name="Curves">Later ones lie above earlier ones.</param>
internal sealed record Chart(string Title, string XTitle, string YTitle, IReadOnlyList<ChartCurve> Curves)
{
    private const double RatioForLog = 12;

    /// <summary>Whether the horizontal axis is logarithmic.</summary>
    public bool LogX { get; init; }

    /// <summary>Whether the vertical axis is logarithmic.</summary>
    public bool LogY { get; init; }

    /// <summary>A sentence below it.</summary>
    public string? Note { get; init; }

    /// <summary>Whether values spread so far that only a logarithmic axis shows them all.</summary>
    public static bool WantsLog(IEnumerable<double> values)
    {
        var shown = values.Where(v => Axis.IsShown(v, logarithmic: false)).ToList();
        return shown.Count > 1 && shown.Min() > 0 && shown.Max() / shown.Min() > RatioForLog;
    }

    /// <summary>A plot that a plugin made: curves of one group have one colour, and their mean where they share their places.</summary>
    public static Chart Of(PlotItem plot)
    {
        var keys = plot.Curves.Select((c, i) => c.Group is null ? $"curve {i}" : $"group {c.Group}").ToList();
        var colors = keys.Distinct().ToList();
        var faint = new List<ChartCurve>();
        var strong = new List<ChartCurve>();
        foreach (var group in plot.Curves.Zip(keys, (curve, key) => (curve, key)).GroupBy(c => c.key))
        {
            var curves = group.Select(c => new ChartCurve(c.curve.Name, c.curve.X, c.curve.Y) { Color = colors.IndexOf(group.Key) }).ToList();
            var name = group.First().curve.Group;
            if (Mean(curves, name) is { } mean)
            {
                faint.AddRange(curves.Select(c => c with { Weight = CurveWeight.Thin }));
                strong.Add(mean);
            }
            else
            {
                strong.AddRange(curves);
            }
        }
        return new Chart(plot.Title, plot.XTitle, plot.YTitle, [.. faint, .. strong])
        {
            LogX = plot.LogX,
            LogY = plot.LogY,
            Note = faint.Count > 0 ? "Strong lines are means, thin lines their members." : null,
        };
    }

    /// <summary>The mean of curves that share their places; null where there are no two, or they do not.</summary>
    public static ChartCurve? Mean(IReadOnlyList<ChartCurve> curves, string? name)
    {
        if (curves.Count < 2 || name is null || curves.Any(c => !c.X.SequenceEqual(curves[0].X)))
            return null;
        return curves[0] with
        {
            Name = $"{name} (mean of {curves.Count})",
            ShortName = name,
            Y = [.. curves[0].X.Select((_, i) => curves.Average(c => c.Y[i]))],
            Weight = CurveWeight.Normal,
        };
    }
}
