using System.Globalization;
using Zoo.Reports;

namespace Zoo.Host.Reports;

/// <summary>Draws what an evaluation or a recipe attached: matrices, images, plots, texts.</summary>
/// <param name="html">Where to.</param>
/// <param name="charts">Draws the plots.</param>
internal sealed class ItemWriter(HtmlWriter html, ChartWriter charts)
{
    private const int MostMatrixLabels = 40;
    private const int MostConfusions = 20;
    private const int MostImages = 200;
    private const int ImageSide = 64;

    /// <summary>Items in their order.</summary>
    public void Write(IEnumerable<ReportItem> items)
    {
        foreach (var item in items)
        {
            switch (item)
            {
                case MatrixItem matrix:
                    Matrix(matrix);
                    break;
                case ImageGridItem grid:
                    Images(grid);
                    break;
                case PlotItem plot:
                    charts.Write(Chart.Of(plot));
                    break;
                case TextItem text:
                    using (html.Element("section", ("class", "panel")))
                    {
                        html.Leaf("h3", text.Title, ("class", "heading"));
                        html.Leaf("p", text.Text);
                    }
                    break;
                default:
                    throw new InvalidOperationException($"A report cannot show a {item.GetType().Name}.");
            }
        }
    }

    private void Matrix(MatrixItem matrix)
    {
        var counts = matrix.Counts;
        var total = counts.Sum(row => row.Sum());
        var right = counts.Select((row, i) => row[i]).Sum();
        var confusions = counts.SelectMany((row, i) => row.Select((count, j) => (i, j, count))).Where(c => c.i != c.j && c.count > 0)
            .OrderByDescending(c => c.count).ToList();
        using var panel = html.Element("section", ("class", "panel"));
        html.Leaf("h3", matrix.Title, ("class", "heading"));
        if (matrix.Labels.Count <= MostMatrixLabels)
            HeatMap(matrix, confusions.Count > 0 ? confusions[0].count : 1);
        html.Leaf("p", $"{right:N0} of {total:N0} right." + (confusions.Count == 0 ? "" : " Most often confused: " + string.Join(", ",
            confusions.Take(matrix.Labels.Count <= MostMatrixLabels ? 5 : MostConfusions)
                .Select(c => $"{Name(c.i)} {matrix.ColumnTitle} {Name(c.j)} ({c.count:N0})")) + "."), ("class", "note"));

        string Name(int label) => Figures.Short(matrix.Labels[label], 40);
    }

    private void HeatMap(MatrixItem matrix, long mostConfused)
    {
        using var scroll = html.Element("div", ("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", matrix.Title));
        using var table = html.Element("table", ("class", "heat"));
        html.Leaf("caption", $"Rows: {matrix.RowTitle}. Columns: {matrix.ColumnTitle}.");
        using (html.Element("thead"))
        using (html.Element("tr"))
        {
            html.Leaf("td", "", ("class", "sum"));
            foreach (var label in matrix.Labels)
                html.Leaf("th", Figures.Short(label, 12), ("scope", "col"));
            html.Leaf("th", "right", ("scope", "col"));
        }
        using var body = html.Element("tbody");
        for (var i = 0; i < matrix.Labels.Count; i++)
        {
            using var row = html.Element("tr");
            html.Leaf("th", Figures.Short(matrix.Labels[i], 12), ("scope", "row"));
            var sum = matrix.Counts[i].Sum();
            for (var j = 0; j < matrix.Labels.Count; j++)
                Cell(matrix.Counts[i][j], isRight: i == j, share: matrix.Counts[i][j] / (double)Math.Max(1, i == j ? sum : mostConfused));
            html.Leaf("td", sum == 0 ? "–" : $"{100.0 * matrix.Counts[i][i] / sum:F1} %", ("class", "sum"));
        }
    }

    /// <summary>Right answers by their share of the row, errors by their share of the most frequent one.</summary>
    private void Cell(long count, bool isRight, double share)
    {
        if (count == 0)
        {
            html.Leaf("td", "0", ("class", "zero"));
            return;
        }
        var strength = isRight ? 0.08 + 0.37 * share : 0.12 + 0.43 * Math.Sqrt(share);
        html.Leaf("td", count.ToString("N0", CultureInfo.InvariantCulture), ("class", isRight ? "ok" : "err"),
            ("style", "--a:" + strength.ToString("0.00", CultureInfo.InvariantCulture)));
    }

    private void Images(ImageGridItem grid)
    {
        using var panel = html.Element("section", ("class", "panel"));
        html.Leaf("h3", grid.Title, ("class", "heading"));
        var scale = (double)ImageSide / Math.Max(grid.Height, grid.Width);
        var (height, width) = ($"{Math.Max(1, Math.Round(grid.Height * scale))}", $"{Math.Max(1, Math.Round(grid.Width * scale))}");
        using (html.Element("ul", ("class", "images")))
        {
            foreach (var image in grid.Images.Take(MostImages))
            {
                using var item = html.Element("li");
                html.Empty("img", ("alt", image.Caption), ("width", width), ("height", height),
                    ("src", Png.DataUri(grid.Height, grid.Width, image.Pixels)));
                html.Text(image.Caption);
            }
        }
        if (grid.Images.Count > MostImages)
            html.Leaf("p", $"and {grid.Images.Count - MostImages:N0} more", ("class", "note"));
    }
}
