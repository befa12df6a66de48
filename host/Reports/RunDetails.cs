using Zoo.Files;
using Zoo.Host.Runs;
using Zoo.Reports;

namespace Zoo.Host.Reports;

/// <summary>A run folder's report.json: what its final evaluation showed beside the numbers.</summary>
/// <param name="Step">After how many steps.</param>
/// <param name="Items">What it showed.</param>
internal sealed record RunDetails(long Step, IReadOnlyList<ReportItem> Items)
{
    /// <summary>The layout of this file.</summary>
    public const int CurrentFormat = 1;

    private const string FileName = "report.json";
    private const int MostItems = 1000;
    private const int MostLabels = 2000;
    private const int MostPixels = 1 << 20;

    /// <summary>The layout of this file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Where a run's details lie.</summary>
    public static string PathIn(string runPath) => Path.Combine(runPath, FileName);

    /// <summary>Writes them into a run folder.</summary>
    /// <exception cref="IOException">The disk is full or the folder is not writable.</exception>
    public void Write(string runPath) => RunJson.Write(PathIn(runPath), this);

    /// <summary>Reads those of a run folder.</summary>
    /// <returns>Null where the run has none.</returns>
    /// <exception cref="BadFileException">The file is no such report.</exception>
    public static RunDetails? Read(string runPath)
    {
        var path = PathIn(runPath);
        if (!File.Exists(path))
            return null;
        var details = RunJson.Read<RunDetails>(path, "a run's report");
        if (details.Format != CurrentFormat)
            throw new BadFileException($"'{path}' has format {details.Format}, and this version of Zoo reads {CurrentFormat}. Use the version that wrote it.");
        if (details.Items.Count > MostItems)
            throw new BadFileException($"'{path}' is not a run's report: it has {details.Items.Count:N0} items.");
        foreach (var item in details.Items)
        {
            if (Problem(item) is { } problem)
                throw new BadFileException($"'{path}' is not a run's report: {problem}");
        }
        return details;
    }

    /// <summary>What the types allow and a report cannot show; null where there is nothing.</summary>
    private static string? Problem(ReportItem? item) => item switch
    {
        null => "an item is null.",
        MatrixItem matrix => MatrixProblem(matrix),
        ImageGridItem grid => GridProblem(grid),
        PlotItem plot when plot.Curves.Any(c => c is null || c.X.Count != c.Y.Count) => $"a curve of '{plot.Title}' has not as many x as y.",
        _ => null,
    };

    private static string? MatrixProblem(MatrixItem matrix)
    {
        var size = matrix.Labels.Count;
        if (size is 0 or > MostLabels)
            return $"'{matrix.Title}' has {size:N0} labels; there must be 1 to {MostLabels:N0}.";
        if (matrix.Labels.Contains(null!))
            return $"a label of '{matrix.Title}' is null.";
        if (matrix.Counts.Count != size || matrix.Counts.Any(row => row is null || row.Count != size || row.Any(n => n is < 0 or > 1L << 48)))
            return $"'{matrix.Title}' needs {size:N0} rows of {size:N0} counts.";
        return null;
    }

    private static string? GridProblem(ImageGridItem grid)
    {
        if (grid.Height < 1 || grid.Width < 1 || (long)grid.Height * grid.Width > MostPixels)
            return $"'{grid.Title}' has images of {grid.Height} × {grid.Width}.";
        if (grid.Images.Any(image => image is null || image.Pixels.Length != grid.Height * grid.Width))
            return $"an image of '{grid.Title}' has not {grid.Height} × {grid.Width} pixels.";
        return null;
    }
}
