using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Zoo.Files;
using Zoo.Host.Runs;
using Zoo.Recipes;

namespace Zoo.Host.Recipes;

/// <summary>
/// One training of a recipe, as `zoo train` in a process of its own: libtorch has one random generator and one set of threads a process.
/// </summary>
/// <param name="spec">What to train.</param>
/// <param name="folder">Where the recipe's runs lie, each in a folder of its own.</param>
/// <param name="globalArguments">Options that every training gets.</param>
internal sealed class RunProcess(RunSpec spec, string folder, IReadOnlyList<string> globalArguments)
{
    private const string ArgumentsName = "arguments.json";

    private readonly string _own = Path.Combine(folder, $"{spec.Label}-seed{spec.Seed}");

    /// <summary>What is other in the run of an earlier call, in words; null where it is the same or there is none. Such a run's numbers are not this one's.</summary>
    public string? DiffersFromEarlier()
    {
        if (Begun() is null)
            return null;
        var name = Path.GetFileName(_own);
        if (Recorded() is not { } recorded)
            return $"'{name}' does not say how it was made";
        string[] wanted = [.. Arguments()];
        if (recorded.SequenceEqual(wanted))
            return null;
        var (had, has) = (string.Join(' ', recorded.Except(wanted)), string.Join(' ', wanted.Except(recorded)));
        return had.Length + has.Length == 0 ? $"'{name}' has its settings in another order"
            : $"'{name}' has {(had.Length > 0 ? had : "nothing")} where {(has.Length > 0 ? has : "nothing")} is asked for";
    }

    /// <summary>
    /// Trains it, or takes a finished run of an earlier, interrupted call as it is, or goes on with an unfinished one.
    /// </summary>
    /// <param name="onStep">Told how many steps the run has made, now and then.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="OperationCanceledException">Interrupted, after the training has saved.</exception>
    public RunResult Run(Action<long> onStep, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var begun = Begun();
        if (begun is not null && Finished(begun) is { } finished)
            return finished;

        if (begun is null)
            WriteArguments();
        using var process = new Process { StartInfo = StartInfo(begun) };
        var errors = new List<string>();
        process.ErrorDataReceived += (_, line) =>
        {
            if (!string.IsNullOrWhiteSpace(line.Data))
            {
                lock (errors)
                    errors.Add(line.Data);
            }
        };
        JsonObject? done = null;
        var started = Stopwatch.GetTimestamp();
        process.Start();
        process.BeginErrorReadLine();
        using var interrupt = cancellation.Register(() => Interrupt(process));
        while (process.StandardOutput.ReadLine() is { } line)
        {
            switch (Parse(line))
            {
                case { } record when record["event"]?.ToString() == "done":
                    done = record;
                    break;
                case { } record when record["event"]?.ToString() == "step":
                    onStep(record["step"]!.GetValue<long>());
                    break;
            }
        }
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (process.ExitCode == 0 && done?["run"]?.ToString() is { } run && Finished(run) is { } result)
            return result with { Seconds = seconds };
        string reason;
        lock (errors)
            reason = errors.Count > 0 ? errors[^1].Trim() : $"zoo train ended with exit code {process.ExitCode} and said nothing";
        return new RunResult(spec) { Failure = reason, Folder = Begun(), Seconds = seconds, History = Begun() is { } at ? History(RunMetrics.Read(at)) : [] };
    }

    private void WriteArguments()
    {
        try
        {
            Directory.CreateDirectory(_own);
            AtomicFile.Write(Path.Combine(_own, ArgumentsName), JsonSerializer.Serialize(Arguments()));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EnvironmentException($"The folder '{_own}' cannot be written: {FileTrouble.Words(e)}", e);
        }
    }

    private ProcessStartInfo StartInfo(string? begun)
    {
        var program = Environment.ProcessPath!;
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            start.ArgumentList.Add(typeof(RunProcess).Assembly.Location);
        start.ArgumentList.Add("train");
        IEnumerable<string> own = begun is null ? [.. Arguments(), "--threads", "1", "--keep", "1", "--out", _own] : ["--resume", begun];
        foreach (var argument in own.Concat(globalArguments).Concat(["--json", "--quiet"]))
            start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>What decides the run's numbers, as `zoo train` has it.</summary>
    private IEnumerable<string> Arguments()
    {
        yield return spec.Model;
        (string Option, string? Value)[] options =
        [
            ("--preset", spec.Preset), ("--task", spec.Task), .. spec.Sets.Select(set => ("--set", (string?)set)), ("--data", spec.DataPath),
            ("--steps", spec.Steps?.ToString(CultureInfo.InvariantCulture)), ("--eval-every", spec.EvalEvery?.ToString(CultureInfo.InvariantCulture)),
            ("--seed", spec.Seed.ToString(CultureInfo.InvariantCulture)), ("--kernels", spec.Kernels),
        ];
        foreach (var (option, value) in options)
        {
            if (value is null)
                continue;
            yield return option;
            yield return value;
        }
    }

    /// <summary>The arguments of the run of an earlier call; null where they are not known.</summary>
    private string[]? Recorded()
    {
        try
        {
            return JsonSerializer.Deserialize<string[]>(File.ReadAllText(Path.Combine(_own, ArgumentsName)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>The run folder of an earlier call; null when there is none that can go on.</summary>
    private string? Begun() => Directory.Exists(_own)
        ? Directory.EnumerateDirectories(_own).Order(StringComparer.Ordinal).LastOrDefault(d => File.Exists(Path.Combine(d, RunFolder.ConfigName)))
        : null;

    /// <summary>The result of a run whose records end with its final evaluation; null when they do not.</summary>
    private RunResult? Finished(string run)
    {
        var metrics = RunMetrics.Read(run);
        if (metrics.Final is not { } final)
            return null;
        return new RunResult(spec)
        {
            Folder = run,
            Metrics = final.Metrics.Where(m => m.Value is not null).ToDictionary(m => m.Name, m => m.Value!.Value),
            History = History(metrics),
            CpuSeconds = CheckpointStore.CpuSecondsOf(RunFolder.CheckpointsOf(run)),
        };
    }

    private static List<MetricPoint> History(RunMetrics metrics) =>
    [
        .. from evaluation in metrics.Evaluations
           where !evaluation.IsFinal
           from metric in evaluation.Metrics
           where metric.Value is not null
           select new MetricPoint(evaluation.Step, metric.Name, metric.Value!.Value),
    ];

    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Asks the training to save and end, as Ctrl+C would.</summary>
    private static void Interrupt(Process process)
    {
        try
        {
            if (OperatingSystem.IsWindows())
                process.Kill();
            else
                NativeMethods.Kill(process.Id, NativeMethods.Terminate);
        }
        catch (InvalidOperationException)
        {
            // it has ended by itself
        }
    }
}
