using System.Globalization;
using System.Text.Json.Nodes;

namespace Zoo.Host.Reports;

/// <summary>A run's settings as flat keys and texts, in groups.</summary>
internal static class RunSettings
{
    /// <summary>The model's own keys.</summary>
    public static IReadOnlyList<(string Key, string Value)> Model(ReportRun run) =>
        [("model", run.Record.Model), ("preset", run.Record.Preset), .. Flatten(run.Record.Config, "")];

    /// <summary>The task's.</summary>
    public static IReadOnlyList<(string Key, string Value)> Task(ReportRun run) =>
    [
        ("task", run.Record.Task), .. Flatten(run.Record.TaskOptions, "task."), ("data", run.Record.Data), ("data path", run.Record.DataPath ?? "none"),
        ("training examples", run.Record.TrainingExamples?.ToString("N0", CultureInfo.InvariantCulture) ?? "endless"),
        ("length", Text(run.Record.Length)), ("task version", Text(run.Record.TaskVersion)),
    ];

    /// <summary>Those of training.</summary>
    public static IReadOnlyList<(string Key, string Value)> Training(ReportRun run) =>
        [.. Flatten(run.Record.Training, "train."), ("seed", Text(run.Record.Seed))];

    /// <summary>How it was run: what should not change the numbers, or only a little.</summary>
    public static IReadOnlyList<(string Key, string Value)> Harness(ReportRun run) =>
    [
        ("plugin", $"{run.Record.Plugin} {run.Record.PluginVersion}"), ("device", run.Record.Device), ("dtype", run.Record.Dtype),
        ("kernels", run.Record.Kernels), ("threads", Text(run.Record.Threads)), ("steps", Text(run.Record.Steps)),
        ("evaluated every", run.Record.EvalEvery == 0 ? "at the end" : $"{run.Record.EvalEvery:N0} steps"),
        ("checkpoint every", run.Record.CheckpointEvery is { } every ? $"{every:N0} steps" : "few minutes"),
        ("checkpoints kept", Text(run.Record.Keep)), ("started", run.Record.Started.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture)),
    ];

    /// <summary>All that may tell runs apart, what does it best first.</summary>
    public static IReadOnlyList<(string Key, string Value)> Telling(ReportRun run) =>
        [.. Model(run), .. Task(run), .. Training(run), .. Harness(run).Where(s => s.Key != "started")];

    /// <summary>Where it ran.</summary>
    public static IReadOnlyList<(string Key, string Value)> Environment(ReportRun run) => run.Environment is { } environment
        ? [.. Flatten(environment, "").Where(s => !s.Key.StartsWith("backends", StringComparison.Ordinal))]
        : [];

    /// <summary>Which backend each op ran on.</summary>
    public static IReadOnlyList<(string Key, string Value)> Backends(ReportRun run) =>
        run.Environment?["backends"] is JsonObject backends ? [.. backends.Select(b => (b.Key, Figures.Value(b.Value)))] : [];

    /// <summary>
    /// A name for each run that tells it from the others: the settings that differ, as few as do; the folder's name where none does.
    /// </summary>
    public static IReadOnlyList<string> Names(IReadOnlyList<ReportRun> runs)
    {
        if (runs.All(r => r.Label is not null))
            return Unique(runs, [.. runs.Select(r => $"{r.Label}, seed {r.Record.Seed}")]);
        if (runs.Count == 1)
            return [runs[0].Record.Model];
        var settings = runs.Select(r => Lookup(Telling(r))).ToList();
        var parts = runs.Select(_ => new List<string>()).ToList();
        foreach (var key in settings.SelectMany(s => s.Keys).Distinct())
        {
            var before = parts.Select(p => string.Join(", ", p)).Distinct().Count();
            var after = parts.Select((p, i) => string.Join(", ", p) + "\n" + settings[i].GetValueOrDefault(key)).Distinct().Count();
            if (after == before || before == runs.Count)
                continue;
            for (var i = 0; i < runs.Count; i++)
            {
                var value = Figures.Short(settings[i].GetValueOrDefault(key, "–"), 28);
                parts[i].Add(key is "model" or "task" or "preset" ? value : $"{key.Split('.')[^1]} {value}");
            }
        }
        return Unique(runs, [.. parts.Select(p => string.Join(", ", p))]);
    }

    /// <summary>Settings by key; of equal keys the first.</summary>
    public static Dictionary<string, string> Lookup(IEnumerable<(string Key, string Value)> settings) =>
        settings.GroupBy(s => s.Key).ToDictionary(g => g.Key, g => g.First().Value);

    private static IReadOnlyList<string> Unique(IReadOnlyList<ReportRun> runs, IReadOnlyList<string> names)
    {
        string[] unique =
        [
            .. runs.Select((r, i) => names.Count(n => n == names[i]) == 1 ? names[i] : $"{names[i]}{(names[i].Length > 0 ? ", " : "")}{r.FolderName}"),
        ];
        return unique.Distinct().Count() == unique.Length ? unique : [.. unique.Select((n, i) => $"{n} ({i + 1})")];
    }

    private static string Text(IFormattable? value) => value?.ToString(null, CultureInfo.InvariantCulture) ?? "none";

    private static IEnumerable<(string Key, string Value)> Flatten(JsonObject values, string prefix) => values.SelectMany(p =>
        p.Value is JsonObject { Count: > 0 } inner ? Flatten(inner, $"{prefix}{p.Key}.") : [(prefix + p.Key, Figures.Value(p.Value))]);
}
