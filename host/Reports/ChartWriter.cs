using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Zoo.Host.Reports;

/// <summary>Draws line charts as SVG, with a legend above and, where there is room, each line's name and last value at its end.</summary>
/// <param name="html">Where to.</param>
internal sealed class ChartWriter(HtmlWriter html)
{
    /// <summary>Colours of the palette in report.css.</summary>
    public const int ColorCount = 8;

    private const double Width = 540;
    private const double Height = 312;
    private const double Top = 30;
    private const double Bottom = Height - 44;
    private const double CharacterWidth = 7.2;
    private const double BoldWidth = 7.9;
    private const double LabelHeight = 15;
    private const int MostLabels = 10;
    private const int MostLabelCharacters = 24;
    private const int MostLegendEntries = 40;
    private int _count;

    /// <summary>The classes of a colour.</summary>
    public static string ColorClass(int color) => $"k{color % ColorCount}" + (color / ColorCount % 3 is > 0 and var dash ? $" d{dash}" : "");

    /// <summary>A figure with heading, legend, drawing and note.</summary>
    public void Write(Chart chart)
    {
        var drawn = chart.Curves.Where(c => c.Points().Any(p => Axis.IsShown(p.X, chart.LogX) && Axis.IsShown(p.Y, chart.LogY))).ToList();
        var named = drawn.Where(c => c.Weight == CurveWeight.Normal).ToList();
        using var figure = html.Element("figure", ("class", "plot panel"));
        html.Leaf("figcaption", chart.Title, ("class", "heading"));
        if (drawn.Count == 0)
        {
            html.Leaf("p", "No values to draw.", ("class", "muted"));
            return;
        }
        if (named.Count > 1 || drawn.Count > named.Count)
            Legend(drawn, named);
        using (html.Element("div", ("class", "scroll")))
            Draw(chart, drawn, named);
        if (!string.IsNullOrWhiteSpace(chart.Note))
            html.Leaf("p", chart.Note.Trim(), ("class", "note"));
    }

    private void Legend(List<ChartCurve> drawn, List<ChartCurve> named)
    {
        using var list = html.Element("ul", ("class", "legend"));
        foreach (var curve in named.Take(MostLegendEntries))
            Entry(curve.Name, curve.Color, "");
        if (named.Count > MostLegendEntries)
            html.Leaf("li", $"and {named.Count - MostLegendEntries} more", ("class", "muted"));
        foreach (var curve in drawn.Where(c => c.Weight == CurveWeight.Faint).Take(1))
            Entry(curve.Name, curve.Color, " faint");

        void Entry(string name, int color, string weight)
        {
            using var item = html.Element("li");
            Swatch(html, color, weight);
            html.Text(Figures.Short(name, 60));
        }
    }

    /// <summary>A short piece of a curve's line.</summary>
    public static void Swatch(HtmlWriter html, int color, string weight = "")
    {
        using var svg = html.Element("svg", ("class", "swatch " + ColorClass(color)), ("viewBox", "0 0 22 10"), ("aria-hidden", "true"));
        html.Empty("line", ("class", "curve" + weight), ("x1", "1"), ("x2", "21"), ("y1", "5"), ("y2", "5"));
    }

    private void Draw(Chart chart, List<ChartCurve> drawn, List<ChartCurve> named)
    {
        var deciding = drawn.Any(c => c.Weight != CurveWeight.Faint) ? drawn.Where(c => c.Weight != CurveWeight.Faint).ToList() : drawn;
        var y = Axis.Fit(deciding.SelectMany(c => c.Y), chart.LogY, tight: false, Bottom, Top, ticks: 6);
        var left = Math.Clamp(y.Ticks.Select(t => t.Label.Length).DefaultIfEmpty(1).Max() * CharacterWidth + 14, 40, 120);
        var texts = EndTexts(named);
        var right = Width - (texts.Count == 0 ? 18 : texts.Max(t => t.Length) * BoldWidth + 12);
        var x = Axis.Fit(drawn.SelectMany(c => c.X), chart.LogX, tight: true, left, right, ticks: right - left < 380 ? 5 : 7);

        var number = ++_count;
        using var svg = html.Element("svg", ("viewBox", $"0 0 {Width} {Height}"), ("role", "img"), ("aria-labelledby", $"t{number} d{number}"),
            ("data-curves", Readings(drawn, x, y)));
        html.Leaf("title", chart.Title, ("id", $"t{number}"));
        html.Leaf("desc", Description(chart, named), ("id", $"d{number}"));
        using (html.Element("clipPath", ("id", $"c{number}")))
            html.Empty("rect", ("x", P(left)), ("y", P(Top - 4)), ("width", P(right - left + 5)), ("height", P(Bottom - Top + 8)));

        foreach (var (place, label) in y.Ticks)
        {
            html.Empty("line", ("class", "grid"), ("x1", P(left)), ("x2", P(right)), ("y1", P(place)), ("y2", P(place)));
            html.Leaf("text", label, ("class", "tick"), ("x", P(left - 8)), ("y", P(place + 4)), ("text-anchor", "end"));
        }
        foreach (var (place, label) in Apart(x.Ticks))
        {
            html.Empty("line", ("class", "axis"), ("x1", P(place)), ("x2", P(place)), ("y1", P(Bottom)), ("y2", P(Bottom + 5)));
            html.Leaf("text", label, ("class", "tick"), ("x", P(place)), ("y", P(Bottom + 19)), ("text-anchor", "middle"));
        }
        html.Empty("line", ("class", "axis"), ("x1", P(left)), ("x2", P(right)), ("y1", P(Bottom)), ("y2", P(Bottom)));
        html.Leaf("text", chart.YTitle + (y.IsLogarithmic ? " (logarithmic)" : ""), ("class", "name"), ("x", "4"), ("y", "14"));
        html.Leaf("text", chart.XTitle + (x.IsLogarithmic ? " (logarithmic)" : ""),
            ("class", "name"), ("x", P((left + right) / 2)), ("y", P(Height - 6)), ("text-anchor", "middle"));
        html.Empty("line", ("class", "cursor"), ("y1", P(Top)), ("y2", P(Bottom)), ("x1", "-9"), ("x2", "-9"));

        using (html.Element("g", ("clip-path", $"url(#c{number})")))
        {
            foreach (var curve in drawn)
                Line(curve, x, y);
        }
        EndLabels(named, texts, y, right);
    }

    private void Line(ChartCurve curve, Axis x, Axis y)
    {
        var path = new StringBuilder();
        var isDrawing = false;
        var lone = new List<(double X, double Y)>();
        foreach (var point in curve.Points())
        {
            var shown = x.Shows(point.X) && y.Shows(point.Y);
            if (shown)
                path.Append(isDrawing ? 'L' : 'M').Append(P(x.At(point.X))).Append(' ').Append(P(Near(y.At(point.Y))));
            if (shown && (curve.IsMarked || curve.X.Count == 1))
                lone.Add(point);
            isDrawing = shown;
        }
        var weight = curve.Weight switch { CurveWeight.Thin => " thin", CurveWeight.Faint => " faint", _ => "" };
        using var group = html.Element("g", ("class", ColorClass(curve.Color)));
        html.Empty("path", ("class", "curve" + weight), ("d", path.ToString()));
        foreach (var (px, py) in lone.Take(60))
            html.Empty("circle", ("class", "mark"), ("cx", P(x.At(px))), ("cy", P(y.At(py))), ("r", "3"));
    }

    /// <summary>A value far outside the axis, kept within what a browser can draw.</summary>
    private static double Near(double pixel) => Math.Clamp(pixel, -4 * Height, 5 * Height);

    private static List<string> EndTexts(List<ChartCurve> named)
    {
        if (named.Count > MostLabels)
            return [];
        var isShort = named.Max(c => (c.ShortName ?? c.Name).Length) <= 14;
        return [.. named.Select(c => named.Count > 1 && isShort ? $"{Figures.Number(c.Y[^1])}  {c.ShortName ?? c.Name}" : Figures.Number(c.Y[^1]))
            .Select(t => Figures.Short(t, MostLabelCharacters))];
    }

    private void EndLabels(List<ChartCurve> named, List<string> texts, Axis y, double right)
    {
        var labels = named.Zip(texts, (curve, text) => (curve, text)).Where(l => y.Shows(l.curve.Y[^1]))
            .Select(l => (l.curve, l.text, place: Math.Clamp(y.At(l.curve.Y[^1]), Top, Bottom))).OrderBy(l => l.place).ToList();
        var places = Spread([.. labels.Select(l => l.place)]);
        foreach (var ((curve, text, _), place) in labels.Zip(places))
            html.Leaf("text", text, ("class", "end " + ColorClass(curve.Color)), ("x", P(right + 9)), ("y", P(place + 4)));
    }

    /// <summary>Moves labels apart that would lie on each other, the lowest ones up from the axis.</summary>
    private static double[] Spread(double[] places)
    {
        for (var i = 1; i < places.Length; i++)
            places[i] = Math.Max(places[i], places[i - 1] + LabelHeight);
        for (var i = places.Length - 1; i >= 0; i--)
            places[i] = Math.Min(places[i], i == places.Length - 1 ? Bottom : places[i + 1] - LabelHeight);
        return places;
    }

    /// <summary>Ticks whose labels do not touch.</summary>
    private static IEnumerable<(double Place, string Label)> Apart(IReadOnlyList<(double Place, string Label)> ticks)
    {
        var end = double.NegativeInfinity;
        foreach (var (place, label) in ticks)
        {
            var half = label.Length * CharacterWidth / 2;
            if (place - half < end + 6)
                continue;
            end = place + half;
            yield return (place, label);
        }
    }

    private static string Description(Chart chart, List<ChartCurve> named)
    {
        var ends = named.Take(MostLabels).Where(c => c.X.Count > 0)
            .Select(c => $"{c.Name}: from {Figures.Number(c.Y[0])} to {Figures.Number(c.Y[^1])}");
        return $"{chart.YTitle} over {chart.XTitle}. {string.Join("; ", ends)}.";
    }

    /// <summary>What the script shows beside the pointer: for each curve its points in pixels and in words.</summary>
    private static string Readings(List<ChartCurve> drawn, Axis x, Axis y)
    {
        var read = drawn.Where(c => c.Weight != CurveWeight.Faint).Select(c => new
        {
            n = Figures.Short(c.Name, 60),
            k = ColorClass(c.Color),
            p = c.Points().Where(p => x.Shows(p.X) && y.Shows(p.Y)).Select(p => new object[]
            {
                Math.Round(x.At(p.X), 1), Math.Round(Near(y.At(p.Y)), 1), Figures.Number(p.X), Figures.Number(p.Y),
            }),
        });
        return JsonSerializer.Serialize(read, new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static string P(double value) => Figures.Pixel(value);
}
