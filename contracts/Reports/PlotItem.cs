namespace Zoo.Reports;

/// <summary>Curves over a common axis.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="XTitle">What the horizontal axis is, with its unit.</param>
/// <param name="YTitle">What the vertical axis is, with its unit.</param>
/// <param name="Curves">The curves.</param>
public sealed record PlotItem(string Title, string XTitle, string YTitle, IReadOnlyList<PlotCurve> Curves) : ReportItem(Title)
{
    /// <summary>Whether the horizontal axis is logarithmic.</summary>
    public bool LogX { get; init; }

    /// <summary>Whether the vertical axis is logarithmic.</summary>
    public bool LogY { get; init; }
}
