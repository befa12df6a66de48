namespace Zoo.Reports;

/// <summary>Counts by two labels, such as a confusion matrix.</summary>
/// <param name="Title">Its heading.</param>
/// <param name="RowTitle">What the rows are: "digit".</param>
/// <param name="ColumnTitle">What the columns are: "read as".</param>
/// <param name="Labels">Of rows and of columns.</param>
/// <param name="Counts">[row][column].</param>
public sealed record MatrixItem(
    string Title, string RowTitle, string ColumnTitle, IReadOnlyList<string> Labels, IReadOnlyList<IReadOnlyList<long>> Counts) : ReportItem(Title);
