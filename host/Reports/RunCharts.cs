namespace Zoo.Host.Reports;

/// <summary>The curves of runs: training loss and held-out metrics, over passes or steps.</summary>
internal static class RunCharts
{
    private const int MostRawCurves = 4;

    /// <summary>What matters: loss, then each held-out metric that was measured on the way.</summary>
    /// <param name="runs">The runs.</param>
    /// <param name="names">Their names.</param>
    /// <param name="colors">Their colours; runs of one colour are drawn as one group.</param>
    public static IEnumerable<Chart> Curves(IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors)
    {
        var scale = Scale(runs);
        var single = runs.Count == 1;
        var losses = single ? runs[0].Evaluations.SelectMany(e => e.Metrics).Select(m => m.Name).Where(IsLoss).Distinct().ToList() : [];
        if (Loss(runs, names, colors, scale, losses) is { } loss)
            yield return loss;
        var metrics = runs.SelectMany(r => r.Evaluations).SelectMany(e => e.Metrics).Select(m => m.Name).Distinct().ToList();
        foreach (var metric in metrics.Where(m => !losses.Contains(m) && !IsCountOf(m, metrics)).OrderBy(IsLoss))
        {
            if (Held(runs, names, colors, scale, metric) is { } chart)
                yield return chart;
        }
    }

    /// <summary>What explains: learning rate where it changes, and speed.</summary>
    public static IEnumerable<Chart> More(IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors)
    {
        var scale = Scale(runs);
        var rates = Of(runs, names, colors, scale, r => [.. r.Steps.Select(s => (s.Step, s.LearningRate))]);
        if (rates.Any(c => c.Y.Distinct().Skip(1).Any()) || rates.Select(c => c.Y[0]).Distinct().Count() > 1)
            yield return new Chart("Learning rate", scale.Title, "learning rate", rates)
            {
                LogY = Chart.WantsLog(rates.SelectMany(c => c.Y).Where(y => y > 0)),
            };
        var speeds = Of(runs, names, colors, scale, r => [.. r.Steps.Skip(1).Select(s => (s.Step, s.TokensPerSecond))]);
        if (speeds.Count > 0)
            yield return new Chart("Throughput", scale.Title, $"{Unit(runs)} a second", speeds);
    }

    /// <summary>Median examples or tokens a second; null where nothing was recorded.</summary>
    public static double? Throughput(ReportRun run)
    {
        var rates = run.Steps.Select(s => s.TokensPerSecond).OfType<double>().Order().ToList();
        return rates.Count == 0 ? null : rates[rates.Count / 2];
    }

    /// <summary>What the rate counts: tokens where a step has clearly more of them than examples.</summary>
    public static string Unit(IEnumerable<ReportRun> runs) => string.Join(" or ", runs.Select(Unit).Distinct().Order(StringComparer.Ordinal));

    private static string Unit(ReportRun run)
    {
        double tokens = 0;
        foreach (var (before, after) in run.Steps.Zip(run.Steps.Skip(1)))
            tokens += Math.Max(0, (after.Seconds - before.Seconds) * after.TokensPerSecond ?? 0);
        var steps = run.Steps.Count > 1 ? run.Steps[^1].Step - run.Steps[0].Step : 0;
        return run.ExamplesAStep is { } examples && tokens > 1.8 * steps * examples && steps > 0 ? "tokens" : "samples";
    }

    /// <summary>Smaller is better: true; larger is better: false; null where the name does not say.</summary>
    public static bool? IsLowerBetter(string metric) =>
        new[] { "error", "loss", "perplexity", "misses", "bits" }.Any(w => metric.Contains(w, StringComparison.Ordinal)) ? true
        : metric.Contains("accuracy", StringComparison.Ordinal) ? false
        : null;

    /// <summary>Whether the runs' losses can be compared: no setting of that name differs.</summary>
    public static bool HaveOneLoss(IReadOnlyList<ReportRun> runs) => runs
        .Select(r => RunSettings.Model(r).Concat(RunSettings.Training(r)).Where(s => s.Key.Split('.')[^1] == "loss").Select(s => s.Value))
        .Select(values => string.Join('\n', values))
        .Distinct().Count() == 1;

    /// <summary>Whether a metric is a loss.</summary>
    public static bool IsLoss(string metric) => metric.EndsWith("_loss", StringComparison.Ordinal);

    /// <summary>Whether a metric says again what another says in percent.</summary>
    private static bool IsCountOf(string metric, List<string> metrics) => metric.EndsWith("_misses", StringComparison.Ordinal)
        && metrics.Contains(metric[..^"_misses".Length] + "_error_percent");

    private static Chart? Loss(
        IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors, XScale scale, List<string> heldOut)
    {
        var raw = Of(runs, names, colors, scale, r => [.. r.Steps.Select(s => (s.Step, s.Loss))]);
        if (raw.Count == 0)
            return null;
        var smooth = raw.Select(c => c with { Y = ChartCurve.Smooth(c.Y) }).ToList();
        var curves = new List<ChartCurve>();
        if (runs.Count <= MostRawCurves)
            curves.AddRange(raw.Select(c => c with { Name = "as recorded", Weight = CurveWeight.Faint }));
        curves.AddRange(runs.Count == 1 ? [smooth[0] with { Name = "training" }] : Grouped(smooth, names, runs));
        for (var i = 0; i < heldOut.Count; i++)
        {
            curves.AddRange(Of(runs, names, colors, scale, r => Values(r, heldOut[i]))
                .Select(c => c with { Name = heldOut[i][..^"_loss".Length].Replace('_', ' ') + ", held out", Color = i + 1, IsMarked = true }));
        }
        return new Chart(runs.Count == 1 && heldOut.Count > 0 ? "Loss" : "Training loss", scale.Title, "loss", curves)
        {
            LogY = Chart.WantsLog(curves.Where(c => c.Weight != CurveWeight.Faint).SelectMany(c => c.Y)),
            Note = (raw.Any(c => c.Y.Count >= 40) ? "Training loss is smoothed over a twentieth of the run." : "")
                + (HaveOneLoss(runs) ? "" : " The runs have different losses: compare their shapes, not their heights."),
        };
    }

    private static Chart? Held(
        IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors, XScale scale, string metric)
    {
        var curves = Of(runs, names, colors, scale, r => Values(r, metric)).Select(c => c with { IsMarked = c.X.Count <= 40 }).ToList();
        if (curves.All(c => c.X.Count < 2))
            return null;
        var title = Figures.MetricTitle(metric);
        var heading = title.Replace(", %", "", StringComparison.Ordinal) + ", held out";
        return new Chart(heading, scale.Title, title, runs.Count == 1 ? curves : Grouped(curves, names, runs))
        {
            LogY = Chart.WantsLog(curves.SelectMany(c => c.Y)),
        };
    }

    /// <summary>Runs of one recipe arm as thin lines below their mean.</summary>
    private static List<ChartCurve> Grouped(List<ChartCurve> curves, IReadOnlyList<string> names, IReadOnlyList<ReportRun> runs)
    {
        var labels = names.Zip(runs, (name, run) => (name, run.Label)).ToDictionary(p => p.name, p => p.Label);
        var (thin, strong) = (new List<ChartCurve>(), new List<ChartCurve>());
        foreach (var group in curves.GroupBy(c => labels[c.Name] is { } label ? "arm " + label : "run " + c.Name))
        {
            if (Chart.Mean([.. group], labels[group.First().Name]) is { } mean)
            {
                thin.AddRange(group.Select(c => c with { Weight = CurveWeight.Thin, IsMarked = false }));
                strong.Add(mean);
            }
            else
            {
                strong.AddRange(group);
            }
        }
        return [.. thin, .. strong];
    }

    /// <summary>A metric after each evaluated step; the last of equal steps counts.</summary>
    private static IReadOnlyList<(long Step, double? Value)> Values(ReportRun run, string metric) =>
        [.. run.Evaluations.GroupBy(e => e.Step).OrderBy(g => g.Key)
            .Select(g => (g.Key, g.SelectMany(e => e.Metrics).Where(m => m.Name == metric).Select(m => m.Value).LastOrDefault()))];

    private static List<ChartCurve> Of(
        IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names, IReadOnlyList<int> colors, XScale scale,
        Func<ReportRun, IReadOnlyList<(long Step, double? Value)>> values)
    {
        var curves = new List<ChartCurve>();
        for (var i = 0; i < runs.Count; i++)
        {
            var points = values(runs[i]).Where(p => p.Value is not null).ToList();
            var perStep = scale.IsPasses ? runs[i].PassesAStep!.Value : 1;
            if (points.Count > 0)
                curves.Add(new ChartCurve(names[i], [.. points.Select(p => p.Step * perStep)], [.. points.Select(p => p.Value!.Value)]) { Color = colors[i] });
        }
        return curves;
    }

    /// <summary>Passes where every run knows them and one has made a whole one; steps otherwise.</summary>
    private static XScale Scale(IReadOnlyList<ReportRun> runs) =>
        runs.All(r => r.PassesAStep is not null) && runs.Any(r => r.PassesAStep * r.LastStep >= 0.999)
            ? new XScale(true, "passes over the training data")
            : new XScale(false, "steps");

    private sealed record XScale(bool IsPasses, string Title);
}
