using Zoo.Recipes;

namespace Zoo.Host.Reports;

/// <summary>A recipe's outcome: its table, and its numbers on a scale beside the paper's.</summary>
/// <param name="html">Where to.</param>
internal sealed class RecipeWriter(HtmlWriter html)
{
    private const double Width = 760;
    private const double RowHeight = 34;
    private const double CharacterWidth = 7.2;

    /// <summary>Verdicts as words.</summary>
    public static string Words(RecipeVerdict verdict) => verdict switch
    {
        RecipeVerdict.Reproduced => "reproduced",
        RecipeVerdict.ScaledEvidence => "scaled evidence",
        RecipeVerdict.NotReproduced => "not reproduced",
        _ => "not attempted",
    };

    /// <summary>The table.</summary>
    public void Table(IReadOnlyList<RecipeRow> rows)
    {
        using var panel = html.Element("div", ("class", "panel"));
        using var scroll = html.Element("div", ("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Results"));
        using var table = html.Element("table");
        html.Leaf("caption", "Paper, the original code, and ours: mean and standard deviation over seeds, with each seed's value below");
        using (html.Element("thead"))
        using (html.Element("tr"))
        {
            foreach (var (name, kind) in new[]
            {
                ("Row", null), ("Metric", null), ("Paper", "number"), ("Original code", "number"), ("Ours", "number"), ("Verdict", null), ("Why", null),
            })
                html.Leaf("th", name, ("scope", "col"), ("class", kind));
        }
        using var body = html.Element("tbody");
        foreach (var row in rows)
        {
            using var line = html.Element("tr");
            html.Leaf("th", row.Row, ("scope", "row"));
            html.Leaf("td", Figures.MetricTitle(row.Metric));
            html.Leaf("td", Figures.Metric(row.Metric, row.Paper), ("class", "number"));
            html.Leaf("td", Figures.Metric(row.Metric, row.Reference), ("class", "number"));
            using (html.Element("td", ("class", "number")))
            {
                html.Leaf("b", Figures.MeanAndDeviation(row.Metric, row.Mean, row.StandardDeviation));
                if (row.Ours.Count > 1)
                {
                    html.Empty("br");
                    var seeds = row.Ours.Take(12).Select(v => Figures.Metric(row.Metric, v));
                    html.Leaf("span", string.Join("  ", seeds) + (row.Ours.Count > 12 ? " …" : ""), ("class", "sub"));
                }
            }
            using (html.Element("td"))
                Badge(row.Verdict);
            html.Leaf("td", row.Reason, ("class", "wide"));
        }
    }

    /// <summary>A drawing for each metric that two rows have.</summary>
    public void Scales(IReadOnlyList<RecipeRow> rows)
    {
        foreach (var metric in rows.GroupBy(r => r.Metric).Where(g => g.Count(r => r.Ours.Count > 0) > 1))
            Scale(metric.Key, [.. metric]);
    }

    private void Badge(RecipeVerdict verdict)
    {
        var (mark, tone) = verdict switch
        {
            RecipeVerdict.Reproduced => ("✓", "good"),
            RecipeVerdict.ScaledEvidence => ("≈", "fair"),
            RecipeVerdict.NotReproduced => ("✗", "bad"),
            _ => ("–", "none"),
        };
        html.Leaf("span", $"{mark} {Words(verdict)}", ("class", "badge " + tone));
    }

    private void Scale(string metric, List<RecipeRow> rows)
    {
        var title = Figures.MetricTitle(metric);
        using var figure = html.Element("figure", ("class", "panel"));
        html.Leaf("figcaption", title + ": ours beside the paper's", ("class", "heading"));
        using (html.Element("ul", ("class", "legend")))
        {
            Key("ours, each seed", () => html.Empty("circle", ("class", "dot"), ("cx", "11"), ("cy", "5"), ("r", "4"), ("opacity", "0.55")), 0);
            Key("ours, mean", () => html.Empty("line", ("class", "curve"), ("x1", "11"), ("x2", "11"), ("y1", "0"), ("y2", "10")), 0);
            Key("paper", () => Diamond(11, 5), 1);
            Key("original code", () => Square(11, 5), 2);
        }
        using var scroll = html.Element("div", ("class", "scroll"));
        Draw(title, rows);
    }

    private void Draw(string title, List<RecipeRow> rows)
    {
        var values = rows.SelectMany(r => r.Ours.Concat(new[] { r.Paper, r.Reference }.OfType<double>())).ToList();
        var names = rows.Select(r => Figures.Short(r.Row, 26)).ToList();
        var left = names.Max(n => n.Length) * CharacterWidth + 20;
        var bottom = rows.Count * RowHeight + 12;
        var axis = Axis.Fit(values, Chart.WantsLog(values), tight: false, left, Width - 24, ticks: 7);
        using var svg = html.Element("svg", ("class", "strip"), ("viewBox", $"0 0 {Width} {bottom + 44}"), ("role", "img"),
            ("aria-label", title + ": the numbers of the table on a scale"));
        foreach (var (place, label) in axis.Ticks)
        {
            html.Empty("line", ("class", "grid"), ("x1", P(place)), ("x2", P(place)), ("y1", "6"), ("y2", P(bottom)));
            html.Leaf("text", label, ("class", "tick"), ("x", P(place)), ("y", P(bottom + 17)), ("text-anchor", "middle"));
        }
        html.Leaf("text", title + (axis.IsLogarithmic ? " (logarithmic)" : ""), ("class", "name"),
            ("x", P((left + Width - 24) / 2)), ("y", P(bottom + 37)), ("text-anchor", "middle"));
        for (var i = 0; i < rows.Count; i++)
        {
            var y = 6 + RowHeight * (i + 0.5);
            html.Leaf("text", names[i], ("x", P(left - 14)), ("y", P(y + 4)), ("text-anchor", "end"));
            html.Empty("line", ("class", "grid"), ("x1", P(left)), ("x2", P(Width - 24)), ("y1", P(y)), ("y2", P(y)));
            Row(rows[i], axis, y);
        }
    }

    private void Row(RecipeRow row, Axis axis, double y)
    {
        using (html.Element("g", ("class", "k0")))
        {
            foreach (var value in row.Ours.Where(axis.Shows))
                html.Empty("circle", ("class", "dot"), ("cx", P(axis.At(value))), ("cy", P(y)), ("r", "4.5"), ("opacity", "0.55"));
            if (row.Mean is { } mean && axis.Shows(mean))
                html.Empty("line", ("class", "curve"), ("x1", P(axis.At(mean))), ("x2", P(axis.At(mean))), ("y1", P(y - 10)), ("y2", P(y + 10)));
        }
        if (row.Paper is { } paper && axis.Shows(paper))
        {
            using (html.Element("g", ("class", "k1")))
                Diamond(axis.At(paper), y);
        }
        if (row.Reference is { } reference && axis.Shows(reference))
        {
            using (html.Element("g", ("class", "k2")))
                Square(axis.At(reference), y);
        }
    }

    private void Key(string name, Action draw, int color)
    {
        using var item = html.Element("li");
        using (html.Element("svg", ("class", $"swatch k{color}"), ("viewBox", "0 0 22 10"), ("aria-hidden", "true")))
            draw();
        html.Text(name);
    }

    private void Diamond(double x, double y) =>
        html.Empty("path", ("class", "dot"), ("d", $"M{P(x)} {P(y - 6)}L{P(x + 6)} {P(y)}L{P(x)} {P(y + 6)}L{P(x - 6)} {P(y)}Z"));

    private void Square(double x, double y) =>
        html.Empty("rect", ("class", "mark"), ("x", P(x - 4)), ("y", P(y - 4)), ("width", "8"), ("height", "8"));

    private static string P(double value) => Figures.Pixel(value);
}
