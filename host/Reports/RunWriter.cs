using System.Globalization;
using Zoo.Host.Runs;
using Zoo.Host.Training;

namespace Zoo.Host.Reports;

/// <summary>Runs in words and tables: how they ended, what differs between them, and all that each folder says.</summary>
/// <param name="html">Where to.</param>
/// <param name="runs">The runs.</param>
/// <param name="names">Their names.</param>
/// <param name="colors">Their colours.</param>
internal sealed class RunWriter(HtmlWriter html, IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors)
{
    private const int MostEvaluations = 400;

    /// <summary>How a run ended, in a sentence.</summary>
    public static string Outcome(ReportRun run)
    {
        var steps = $"{run.LastStep:N0} of {run.Record.Steps:N0} steps";
        if (run.Final is null)
            return $"Not finished: {steps} so far. Its final evaluation and what goes with it are missing.";
        var time = run.Seconds is { } seconds ? $" in {TrainingProgress.Duration(seconds)}" : "";
        var passes = run.PassesAStep * run.Record.Steps is { } count && count >= 0.1
            ? $", {Figures.Number(count)} passes over {run.Record.TrainingExamples:N0} examples,"
            : "";
        return $"Finished: {run.Record.Steps:N0} steps{passes} trained{time}.";
    }

    /// <summary>The numbers of one run, large.</summary>
    public void Cards()
    {
        var run = runs[0];
        using var list = html.Element("ul", ("class", "cards"));
        var metrics = (run.Final ?? run.Evaluations.LastOrDefault())?.Metrics ?? [];
        for (var i = 0; i < metrics.Count; i++)
            Card(Figures.Metric(metrics[i].Name, metrics[i].Value), Figures.MetricTitle(metrics[i].Name) + (run.Final is null ? ", so far" : ""), isMain: i == 0);
        if (metrics.Count == 0 && run.Steps.LastOrDefault(s => s.Loss is not null) is { } last)
            Card(Figures.Number(last.Loss), "training loss, last record", isMain: true);
        var steps = run.LastStep.ToString("N0", CultureInfo.InvariantCulture);
        Card(steps, run.LastStep < run.Record.Steps ? $"of {run.Record.Steps:N0} steps" : "steps", isMain: false);
        if (run.Seconds is { } seconds)
            Card(TrainingProgress.Duration(seconds), "training", isMain: false);
        if (RunCharts.Throughput(run) is { } rate)
            Card(Figures.Number(rate), $"{RunCharts.Unit(runs)} a second", isMain: false);
    }

    /// <summary>Each run's metrics and pace, a run a line.</summary>
    public void Results()
    {
        var metrics = runs.SelectMany(r => Last(r)?.Metrics ?? []).Select(m => m.Name).Distinct().Take(12).ToList();
        var values = runs.Select(r => (Last(r)?.Metrics ?? []).GroupBy(m => m.Name).ToDictionary(g => g.Key, g => g.Last().Value)).ToList();
        using var panel = html.Element("div", ("class", "panel"));
        using var scroll = html.Element("div", ("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Results"));
        using var table = html.Element("table");
        html.Leaf("caption", "Held-out metrics after the last step, the best of each in bold");
        using (html.Element("thead"))
        using (html.Element("tr"))
        {
            html.Leaf("th", "Run", ("scope", "col"));
            foreach (var metric in metrics)
                html.Leaf("th", Figures.MetricTitle(metric), ("scope", "col"), ("class", "number"));
            foreach (var column in new[] { "Steps", "Training", $"{RunCharts.Unit(runs)} / s" })
                html.Leaf("th", column, ("scope", "col"), ("class", "number"));
        }
        using var body = html.Element("tbody");
        for (var i = 0; i < runs.Count; i++)
        {
            using var row = html.Element("tr");
            Heading("row", i);
            foreach (var metric in metrics)
            {
                var value = values[i].GetValueOrDefault(metric);
                html.Leaf("td", Figures.Metric(metric, value), ("class", value is { } number && number == Best(metric, values) ? "number best" : "number"));
            }
            var of = runs[i].Final is null ? $" of {runs[i].Record.Steps:N0}" : "";
            html.Leaf("td", $"{runs[i].LastStep:N0}{of}", ("class", "number"));
            html.Leaf("td", runs[i].Seconds is { } seconds ? TrainingProgress.Duration(seconds) : "–", ("class", "number"));
            html.Leaf("td", Figures.Number(RunCharts.Throughput(runs[i])), ("class", "number"));
        }
    }

    /// <summary>Settings side by side: those that differ in sight, marked; the others below.</summary>
    public void Differences()
    {
        var settings = runs.Select(r => RunSettings.Lookup(RunSettings.Telling(r))).ToList();
        var keys = settings.SelectMany(s => s.Keys).Distinct().ToList();
        var differing = keys.Where(k => settings.Select(s => s.GetValueOrDefault(k)).Distinct().Count() > 1).ToList();
        using var panel = html.Element("div", ("class", "panel"));
        if (differing.Count == 0)
            html.Leaf("p", "Every setting is the same in all of them.");
        else
            Compare("Settings that differ", differing, settings, "differs");
        using var rest = html.Element("details");
        html.Leaf("summary", $"{keys.Count - differing.Count} settings that are the same in all");
        Pairs("Settings that are the same in all", [.. keys.Except(differing).Select(k => (k, settings[0][k]))]);
    }

    /// <summary>All that a run's folder says beside its curves.</summary>
    public void Tables(int index)
    {
        var run = runs[index];
        using var columns = html.Element("div", ("class", "columns"));
        Part("Model", RunSettings.Model(run), isOpen: true);
        Part("Training", RunSettings.Training(run), isOpen: true);
        Part("Task and data", RunSettings.Task(run), isOpen: false);
        Part("Harness", RunSettings.Harness(run), isOpen: false);
        Part("Environment", RunSettings.Environment(run), isOpen: false);
        Part("Backend of each op", RunSettings.Backends(run), isOpen: false);
        Part("Checkpoints", [.. run.Checkpoints.Select(c => ($"after step {c.Step:N0}", Figures.Bytes(c.Bytes)))], isOpen: false);
        Evaluations(run);
    }

    /// <summary>A run's swatch and name as a table's heading.</summary>
    private void Heading(string scope, int index)
    {
        using var cell = html.Element("th", ("scope", scope), ("class", "run"));
        ChartWriter.Swatch(html, colors[index]);
        html.Text(names[index]);
    }

    private void Part(string title, IReadOnlyList<(string Key, string Value)> pairs, bool isOpen)
    {
        if (pairs.Count == 0)
            return;
        using var panel = html.Element("div", ("class", "panel"));
        using var part = html.Element("details", ("open", isOpen && pairs.Count <= 40 ? "open" : null), ("style", "margin:0"));
        html.Leaf("summary", title);
        Pairs(title, pairs);
    }

    private void Pairs(string caption, IReadOnlyList<(string Key, string Value)> pairs)
    {
        using var scroll = html.Element("div", ("class", "scroll"));
        using var table = html.Element("table");
        html.Leaf("caption", caption, ("hidden", "hidden"));
        using var body = html.Element("tbody");
        foreach (var (key, value) in pairs)
        {
            using var row = html.Element("tr");
            html.Leaf("th", key, ("scope", "row"), ("class", "code"));
            html.Leaf("td", value, ("class", "code"));
        }
    }

    private void Compare(string caption, List<string> keys, List<Dictionary<string, string>> settings, string mark)
    {
        using var scroll = html.Element("div", ("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", caption));
        using var table = html.Element("table");
        html.Leaf("caption", caption + "; what is not as in the first run is marked");
        using (html.Element("thead"))
        using (html.Element("tr"))
        {
            html.Leaf("th", "Setting", ("scope", "col"));
            for (var i = 0; i < runs.Count; i++)
                Heading("col", i);
        }
        using var body = html.Element("tbody");
        foreach (var key in keys)
        {
            using var row = html.Element("tr");
            html.Leaf("th", key, ("scope", "row"), ("class", "code"));
            foreach (var values in settings)
            {
                var isOther = values.GetValueOrDefault(key) != settings[0].GetValueOrDefault(key);
                html.Leaf("td", Figures.Short(values.GetValueOrDefault(key, "–"), 160), ("class", isOther ? "code " + mark : "code"));
            }
        }
    }

    private void Evaluations(ReportRun run)
    {
        var names = run.Evaluations.SelectMany(e => e.Metrics).Select(m => m.Name).Distinct().Take(20).ToList();
        if (names.Count == 0)
            return;
        using var panel = html.Element("div", ("class", "panel"));
        using var part = html.Element("details", ("style", "margin:0"));
        html.Leaf("summary", $"Evaluations ({run.Evaluations.Count:N0})");
        using var scroll = html.Element("div", ("class", "scroll"));
        using var table = html.Element("table");
        html.Leaf("caption", "Held-out metrics during training" + (run.Evaluations.Count > MostEvaluations ? $", the last {MostEvaluations}" : ""));
        using (html.Element("thead"))
        using (html.Element("tr"))
        {
            html.Leaf("th", "Step", ("scope", "col"), ("class", "number"));
            foreach (var name in names)
                html.Leaf("th", Figures.MetricTitle(name), ("scope", "col"), ("class", "number"));
        }
        using var body = html.Element("tbody");
        foreach (var evaluation in run.Evaluations.TakeLast(MostEvaluations))
        {
            using var row = html.Element("tr");
            html.Leaf("td", $"{evaluation.Step:N0}", ("class", "number"));
            foreach (var name in names)
                html.Leaf("td", Figures.Metric(name, evaluation.Metrics.LastOrDefault(m => m.Name == name).Value), ("class", "number"));
        }
    }

    private void Card(string value, string what, bool isMain)
    {
        using var card = html.Element("li", ("class", isMain ? "panel main" : "panel"));
        html.Leaf("span", value, ("class", "value"));
        html.Leaf("span", what, ("class", "what"));
    }

    private static RunMetrics.EvaluationPoint? Last(ReportRun run) => run.Final ?? run.Evaluations.LastOrDefault();

    private double? Best(string metric, List<Dictionary<string, double?>> values)
    {
        var all = values.Select(v => v.GetValueOrDefault(metric)).OfType<double>().ToList();
        if (all.Distinct().Count() < 2 || (RunCharts.IsLoss(metric) && !RunCharts.HaveOneLoss(runs)))
            return null;
        return RunCharts.IsLowerBetter(metric) switch { true => all.Min(), false => all.Max(), null => null };
    }
}
