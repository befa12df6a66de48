using System.Security.Cryptography;
using System.Text;
using Zoo.Recipes;
using Zoo.Reports;

namespace Zoo.Host.Reports;

/// <summary>
/// A report as one HTML file: no outside references, complete without JavaScript, light and dark. Equal input gives equal bytes.
/// </summary>
internal sealed class HtmlReport
{
    private const int MostOpenRuns = 1;
    private static readonly Lazy<string> Style = new(() => Resource("report.css"));
    private static readonly Lazy<string> Script = new(() => Resource("report.js"));
    private readonly HtmlWriter _html = new();
    private readonly ChartWriter _charts;
    private readonly IReadOnlyList<ReportRun> _runs;
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<int> _colors;
    private readonly RunWriter _runWriter;

    private HtmlReport(IReadOnlyList<ReportRun> runs)
    {
        _runs = runs;
        _names = RunSettings.Names(runs);
        _colors = Colors(runs);
        _charts = new ChartWriter(_html);
        _runWriter = new RunWriter(_html, runs, _names, _colors);
    }

    /// <summary>The report of some runs.</summary>
    /// <param name="runs">At least one.</param>
    public static string ForRuns(IReadOnlyList<ReportRun> runs)
    {
        ArgumentOutOfRangeException.ThrowIfZero(runs.Count);
        var report = new HtmlReport(runs);
        var same = runs.Select(r => $"{r.Record.Model} on {r.Record.Task}").Distinct().ToList();
        var title = runs.Count == 1 ? same[0] : $"{(same.Count == 1 ? same[0] : $"{same.Count} models and tasks")}: {runs.Count} runs";
        return report.Page(title, () => report.RunsPage(title));
    }

    /// <summary>The report of a recipe.</summary>
    /// <param name="info">Which.</param>
    /// <param name="rows">Its table.</param>
    /// <param name="items">What it attached.</param>
    /// <param name="runs">Its runs, labelled with the row or arm they belong to; may be none.</param>
    public static string ForRecipe(
        RecipeInfo info, IReadOnlyList<RecipeRow> rows, IReadOnlyList<ReportItem> items, IReadOnlyList<ReportRun> runs)
    {
        var report = new HtmlReport(runs);
        return report.Page(info.Title, () => report.RecipePage(info, rows, items));
    }

    private string Page(string title, Action content)
    {
        var script = Script.Value;
        var hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        _html.Verbatim("<!DOCTYPE html>\n");
        using (_html.Element("html", ("lang", "en")))
        {
            using (_html.Element("head"))
            {
                _html.Empty("meta", ("charset", "utf-8"));
                _html.Empty("meta", ("http-equiv", "Content-Security-Policy"),
                    ("content", $"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"));
                _html.Empty("meta", ("name", "viewport"), ("content", "width=device-width, initial-scale=1"));
                _html.Empty("meta", ("name", "color-scheme"), ("content", "light dark"));
                _html.Empty("meta", ("name", "referrer"), ("content", "no-referrer"));
                _html.Leaf("title", Figures.Short(title, 120));
                using (_html.Element("style"))
                    _html.Verbatim(Style.Value);
            }
            using (_html.Element("body"))
            {
                content();
                using (_html.Element("footer"))
                    _html.Text("Made by Zoo from the run folders alone. This file refers to nothing outside itself.");
                using (_html.Element("script"))
                    _html.Verbatim(script);
            }
        }
        return _html.ToString() + "\n";
    }

    private void RunsPage(string title)
    {
        using (_html.Element("header"))
        {
            _html.Leaf("h1", title);
            if (_runs.Count == 1)
            {
                _html.Leaf("p", RunWriter.Outcome(_runs[0]), ("class", "lead"));
                _html.Leaf("p", $"{_runs[0].Record.Data} · seed {_runs[0].Record.Seed} · {_runs[0].FolderName}", ("class", "muted"));
                _runWriter.Cards();
            }
            else
            {
                var finished = _runs.Count(r => r.Final is not null);
                _html.Leaf("p", (finished == _runs.Count ? "All finished." : $"{finished} of {_runs.Count} finished.") + Leader(), ("class", "lead"));
                foreach (var data in _runs.Select(r => r.Record.Data).Distinct().Take(4))
                    _html.Leaf("p", data, ("class", "muted"));
            }
        }
        using (_html.Element("main"))
        {
            if (_runs.Count > 1)
            {
                _html.Leaf("h2", "Results");
                _runWriter.Results();
            }
            Curves();
            if (_runs.Count > 1)
            {
                _html.Leaf("h2", "What differs");
                _runWriter.Differences();
            }
            EachRun();
        }
    }

    private void RecipePage(RecipeInfo info, IReadOnlyList<RecipeRow> rows, IReadOnlyList<ReportItem> items)
    {
        using (_html.Element("header"))
        {
            _html.Leaf("h1", info.Title);
            _html.Leaf("p", info.Claim, ("class", "lead"));
            _html.Leaf("p", $"{info.Paper} · zoo reproduce {info.Name}", ("class", "muted"));
            using (_html.Element("ul", ("class", "cards")))
            {
                foreach (var verdict in rows.GroupBy(r => r.Verdict).OrderBy(g => g.Key))
                {
                    using var card = _html.Element("li", ("class", "panel"));
                    _html.Leaf("span", $"{verdict.Count()} of {rows.Count}", ("class", "value"));
                    _html.Leaf("span", $"{(rows.Count == 1 ? "row" : "rows")} {RecipeWriter.Words(verdict.Key)}", ("class", "what"));
                }
                if (_runs.Count > 0)
                {
                    using var card = _html.Element("li", ("class", "panel"));
                    _html.Leaf("span", $"{_runs.Count}", ("class", "value"));
                    var cpu = _runs.Sum(r => r.CpuSeconds ?? 0);
                    _html.Leaf("span", (_runs.Count == 1 ? "training run" : "training runs") + (cpu > 0 ? $", {cpu:N0} CPU seconds" : ""), ("class", "what"));
                }
            }
        }
        using (_html.Element("main"))
        {
            var recipe = new RecipeWriter(_html);
            _html.Leaf("h2", "Results");
            recipe.Table(rows);
            using (_html.Element("div", ("class", "stack")))
            {
                recipe.Scales(rows);
                new ItemWriter(_html, _charts).Write(items);
            }
            if (_runs.Count == 0)
                return;
            Curves();
            _html.Leaf("h2", "Runs");
            _runWriter.Results();
            if (_runs.Count > 1)
            {
                _html.Leaf("h2", "What differs");
                _runWriter.Differences();
            }
            EachRun();
        }
    }

    private void Curves()
    {
        var charts = RunCharts.Curves(_runs, _names, _colors).ToList();
        var more = RunCharts.More(_runs, _names, _colors).ToList();
        if (charts.Count + more.Count == 0)
        {
            _html.Leaf("p", "No step has been recorded yet.", ("class", "muted"));
            return;
        }
        _html.Leaf("h2", "Training");
        Plots(charts);
        if (more.Count == 0)
            return;
        using var part = _html.Element("details");
        _html.Leaf("summary", string.Join(" and ", more.Select((c, i) => i == 0 ? c.Title : c.Title.ToLowerInvariant())));
        Plots(more);
    }

    private void Plots(List<Chart> charts)
    {
        using var plots = _html.Element("div", ("class", "plots"));
        foreach (var chart in charts)
            _charts.Write(chart);
    }

    private void EachRun()
    {
        var items = new ItemWriter(_html, _charts);
        if (_runs.Count > MostOpenRuns)
            _html.Leaf("h2", "Each run");
        for (var i = 0; i < _runs.Count; i++)
        {
            if (_runs.Count <= MostOpenRuns)
            {
                if (_runs[i].Details is { Items.Count: > 0 })
                    _html.Leaf("h2", "Final evaluation");
                OneRun(i, items);
                continue;
            }
            using var part = _html.Element("details", ("class", "run"));
            using (_html.Element("summary"))
            {
                ChartWriter.Swatch(_html, _colors[i]);
                _html.Text(" " + _names[i]);
            }
            _html.Leaf("p", $"{RunWriter.Outcome(_runs[i])} {_runs[i].FolderName}", ("class", "muted"));
            OneRun(i, items);
        }
    }

    private void OneRun(int index, ItemWriter items)
    {
        if (_runs[index].Details is { Items.Count: > 0 } details)
        {
            using (_html.Element("div", ("class", "stack")))
                items.Write(details.Items);
        }
        if (_runs.Count <= MostOpenRuns)
            _html.Leaf("h2", "Settings");
        _runWriter.Tables(index);
    }

    /// <summary>Which run is ahead in the first metric, where its name says which way is better.</summary>
    private string Leader()
    {
        var metric = _runs.SelectMany(r => r.Final?.Metrics ?? []).Select(m => m.Name).FirstOrDefault();
        if (metric is null || RunCharts.IsLowerBetter(metric) is not { } lower || (RunCharts.IsLoss(metric) && !RunCharts.HaveOneLoss(_runs)))
            return "";
        var values = _runs.Select((r, i) => (Name: _names[i], r.Final?.Metrics.LastOrDefault(m => m.Name == metric).Value))
            .Where(v => v.Value is not null).ToList();
        if (values.Count < 2)
            return "";
        var best = lower ? values.MinBy(v => v.Value) : values.MaxBy(v => v.Value);
        var title = Figures.MetricTitle(metric).Split(", %");
        var what = $"{(lower ? "Lowest" : "Highest")} {char.ToLowerInvariant(title[0][0])}{title[0][1..]}";
        return $" {what}: {Figures.Metric(metric, best.Value)}{(title.Length > 1 ? " %" : "")} ({best.Name}).";
    }

    /// <summary>One colour a recipe arm, or one a run.</summary>
    private static IReadOnlyList<int> Colors(IReadOnlyList<ReportRun> runs)
    {
        if (runs.Any(r => r.Label is null))
            return [.. Enumerable.Range(0, runs.Count)];
        var labels = runs.Select(r => r.Label!).Distinct().ToList();
        return [.. runs.Select(r => labels.IndexOf(r.Label!))];
    }

    private static string Resource(string name)
    {
        var assembly = typeof(HtmlReport).Assembly;
        using var stream = assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not in {assembly.GetName().Name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");   // as a browser reads it, or the hash would be of another text
    }
}
