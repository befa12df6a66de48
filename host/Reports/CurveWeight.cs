namespace Zoo.Host.Reports;

/// <summary>How much a curve stands out.</summary>
internal enum CurveWeight
{
    /// <summary>A line with its name and last value.</summary>
    Normal,

    /// <summary>One of several below their mean.</summary>
    Thin,

    /// <summary>What a smoothed line was made of; it does not decide how far the axis reaches.</summary>
    Faint,
}
