namespace Zoo.Reports;

/// <summary>A paragraph of plain text.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="Text">The paragraph.</param>
public sealed record TextItem(string Title, string Text) : ReportItem(Title);
