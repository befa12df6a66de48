using System.Diagnostics;
using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Files;
using Zoo.Host.Benchmarks;
using Zoo.Host.Cli;
using Zoo.Host.Diagnostics;
using Zoo.Host.Reports;
using Zoo.Host.Training;
using Zoo.Reports;
using Zoo.Tasks;

namespace Zoo.Host.Runs;

/// <summary>
/// A training from its start or a checkpoint to its end: steps, records, checkpoints, evaluations. Whatever stops it, the newest
/// checkpoint is whole, and going on from there gives the numbers of a run that was never stopped.
/// </summary>
internal sealed class TrainingRun
{
    private readonly RunRecord _record;
    private readonly RunFolder _folder;
    private readonly Model _model;
    private readonly TaskData _data;
    private readonly Trainer _trainer;
    private readonly Evaluator _evaluator;
    private readonly Output _output;
    private readonly CancellationToken _interrupted;
    private readonly CheckpointStore _checkpoints;
    private readonly TrainingProgress _progress;
    private readonly Stopwatch _sinceCheckpoint = new();
    private readonly Stopwatch _training = new();
    private readonly long _recordEvery;
    private double _secondsBefore;
    private double _cpuBefore;
    private double _lossSum;
    private long _lossCount;
    private long _sessionTokens;
    private long _recordedTokens;
    private TimeSpan _recordedTime;
    private long? _savedStep;
    private TensorBoardLog? _events;

    /// <param name="record">The run's config.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="data">The task's data.</param>
    /// <param name="model">The model, as its seed initialised it.</param>
    /// <param name="trainer">A trainer of it that has made no step.</param>
    /// <param name="evaluator">Scores it.</param>
    /// <param name="output">Where words go.</param>
    /// <param name="interrupted">Asks it to save and end.</param>
    public TrainingRun(
        RunRecord record, RunFolder folder, TaskData data, Model model, Trainer trainer, Evaluator evaluator, Output output,
        CancellationToken interrupted)
    {
        (_record, _folder, _data, _model) = (record, folder, data, model);
        (_trainer, _evaluator, _output, _interrupted) = (trainer, evaluator, output, interrupted);
        _checkpoints = new CheckpointStore(folder.CheckpointsPath, record.Keep);
        _progress = new TrainingProgress(output, trainer.StepCount, model.Kind == ModelKind.TokenModel ? "tokens" : "samples");
        _recordEvery = TrainingIntervals.Record(trainer.StepCount);
    }

    /// <summary>Trains to the end.</summary>
    /// <param name="start">Where to go on; null for the beginning.</param>
    /// <exception cref="NonFiniteException">A loss or gradient is not finite; the newest checkpoint is from before.</exception>
    /// <exception cref="UserException">The checkpoint does not fit.</exception>
    public RunOutcome Run(Checkpoint? start)
    {
        if (start is not null)
        {
            MemoryBound.Lift();
            Restore(start);
        }
        MemoryBound.Set(_trainer.Device);
        _checkpoints.RemoveLeftovers();
        using var log = MetricsLog.Open(_folder.MetricsPath, _trainer.StepsDone);
        using var events = _events = OpenEvents();
        _sinceCheckpoint.Start();
        try
        {
            if (IsEvaluationDue() && !WasEvaluated(_trainer.StepsDone))
                Evaluate(log);
            while (_trainer.StepsDone < _trainer.StepCount)
            {
                _interrupted.ThrowIfCancellationRequested();
                Advance(log);
                if (IsCheckpointDue())
                    Save(log, last: false);
                if (IsEvaluationDue())
                    Evaluate(log);
            }
            // The model is scored even if the disk refuses it: the numbers are worth having.
            var unsaved = Save(log, last: true);
            return Outcome(EvaluateAtEnd(log), interrupted: false, unsaved);
        }
        catch (OperationCanceledException)
        {
            return Outcome([], interrupted: true, Save(log, last: true));
        }
        finally
        {
            _progress.Clear();
        }
    }

    private double TrainSeconds => _secondsBefore + _training.Elapsed.TotalSeconds;

    private double CpuSeconds => _cpuBefore + CpuClock.Seconds;

    private RunOutcome Outcome(IReadOnlyList<Metric> metrics, bool interrupted, EnvironmentException? unsaved) =>
        new(_trainer.StepsDone, metrics, TrainSeconds, interrupted, unsaved)
        {
            TokensPerSecond = _sessionTokens > 0 ? _sessionTokens / _training.Elapsed.TotalSeconds : null,
            PeakMemoryBytes = MemoryUse.Peak,
            CpuSeconds = CpuSeconds,
        };

    private void Restore(Checkpoint start)
    {
        start.LoadModel(_model);
        var optimizer = start.LoadOptimizer();
        _trainer.Restore(start.State.Step, optimizer, start.State.Random.ModelCounter);
        foreach (var tensor in optimizer.Values)
            tensor.Dispose();
        (_lossSum, _lossCount) = (start.State.LossSum, start.State.LossCount);
        (_secondsBefore, _cpuBefore) = (start.State.TrainSeconds, start.State.CpuSeconds);
        _savedStep = start.State.Step;
    }

    /// <summary>Trains up to the next step after which something else is due, at most.</summary>
    private void Advance(MetricsLog log)
    {
        var limit = _trainer.StepCount - _trainer.StepsDone;
        foreach (var every in new[] { _recordEvery, _record.EvalEvery, _record.CheckpointEvery ?? 0 })
        {
            if (every > 0)
                limit = Math.Min(limit, every - _trainer.StepsDone % every);
        }
        var reports = new List<StepReport>();
        _training.Start();
        try
        {
            _trainer.Advance(_trainer.StepsDone == 0 ? 1 : limit, reports);
        }
        finally
        {
            _training.Stop();
        }
        foreach (var report in reports)
        {
            _lossSum += report.Loss;
            _lossCount++;
            _sessionTokens += report.TokenCount;
            if (report.Step == 1 || report.Step % _recordEvery == 0 || report.Step == _trainer.StepCount)
                Record(log, report);
        }
        var seconds = _training.Elapsed.TotalSeconds;
        var rate = _sessionTokens / seconds;
        var left = (_trainer.StepCount - _trainer.StepsDone) * reports[^1].TokenCount / rate;
        _progress.Update(_trainer.StepsDone, _lossCount > 0 ? _lossSum / _lossCount : reports[^1].Loss, rate, left);
    }

    /// <summary>The loss is the mean since the record before.</summary>
    private void Record(MetricsLog log, StepReport report)
    {
        var seconds = (_training.Elapsed - _recordedTime).TotalSeconds;
        Add(log, new JsonObject
        {
            ["event"] = "step",
            ["step"] = report.Step,
            ["loss"] = _lossSum / _lossCount,
            ["lr"] = report.LearningRate,
            ["tokens_per_second"] = Math.Round((_sessionTokens - _recordedTokens) / Math.Max(seconds, 1e-9), 1),
            ["seconds"] = Math.Round(TrainSeconds, 3),
            ["peak_memory_bytes"] = MemoryUse.Peak,
        });
        (_lossSum, _lossCount, _recordedTokens, _recordedTime) = (0, 0, _sessionTokens, _training.Elapsed);
    }

    private void Add(MetricsLog log, JsonObject record)
    {
        if (!log.Add(record))
            _progress.Note($"'{_folder.MetricsPath}' could not be written; the record of step {record["step"]} is kept and tried again.");
        _events?.Add(record);   // what a full disk refuses comes with the next event; the record's own note is enough
        _progress.Clear();
        _output.Record(record);
    }

    /// <summary>The event file of this session; null, with a note, where there is no room for one: the records are in metrics.jsonl.</summary>
    private TensorBoardLog? OpenEvents()
    {
        try
        {
            return TensorBoardLog.Open(_folder.Path, _trainer.StepsDone);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _progress.Note($"There will be no TensorBoard events, their file could not be made: {FileTrouble.Words(e)}");
            return null;
        }
    }

    private bool IsEvaluationDue() => _record.EvalEvery > 0 && _trainer.StepsDone > 0
        && _trainer.StepsDone < _trainer.StepCount && _trainer.StepsDone % _record.EvalEvery == 0;

    private bool WasEvaluated(long step) => MetricsLog.Read(_folder.MetricsPath)
        .Any(r => r["event"]?.ToString() == "eval" && r["step"] is JsonValue value && value.TryGetValue(out long at) && at == step);

    private void Evaluate(MetricsLog log)
    {
        var metrics = _evaluator.Run(_data.HeldOut.Where(set => set.DuringTraining), _interrupted);
        if (metrics.Count == 0)
            return;
        Add(log, new JsonObject { ["event"] = "eval", ["step"] = _trainer.StepsDone, ["metrics"] = ToJson(metrics) });
        var values = string.Join(", ", metrics.Select(m => $"{m.Name} {m.Value:G4}"));
        _progress.Note($"step {_trainer.StepsDone:N0} of {_trainer.StepCount:N0}: {values}");
    }

    private IReadOnlyList<Metric> EvaluateAtEnd(MetricsLog log)
    {
        var details = new List<ReportItem>();
        var metrics = _evaluator.Run(_data.HeldOut, _interrupted, details);
        Add(log, new JsonObject
        {
            ["event"] = "eval",
            ["step"] = _trainer.StepsDone,
            ["metrics"] = ToJson(metrics),
            ["final"] = true,
        });
        try
        {
            log.Flush();
        }
        catch (Exception e) when (IsRefusal(e))
        {
            _progress.Note($"'{_folder.MetricsPath}' could not be written, its last records are missing: {FileTrouble.Words(e)}");
        }
        try
        {
            new RunDetails(_trainer.StepsDone, details).Write(_folder.Path);
        }
        catch (Exception e) when (IsRefusal(e))
        {
            _progress.Note($"The details for `zoo report` are missing: {FileTrouble.Words(e)}");
        }
        return metrics;
    }

    private bool IsCheckpointDue() => _trainer.StepsDone < _trainer.StepCount && (_record.CheckpointEvery is { } every
        ? _trainer.StepsDone % every == 0
        : _sinceCheckpoint.Elapsed >= TrainingIntervals.CheckpointTime);

    /// <summary>Writes a checkpoint.</summary>
    /// <param name="log">Flushed first: a checkpoint's records are on the disk.</param>
    /// <param name="last">Whether nothing comes after it.</param>
    /// <returns>What the disk said to the last one; an earlier one's trouble is a note, and training goes on.</returns>
    /// <exception cref="NonFiniteException">The model is not finite.</exception>
    private EnvironmentException? Save(MetricsLog log, bool last)
    {
        if (_savedStep == _trainer.StepsDone)
            return null;
        _trainer.RequireFiniteModel();
        _sinceCheckpoint.Restart();
        try
        {
            log.Flush();
            _checkpoints.Save(_model, _trainer.Optimizer.State, new CheckpointState
            {
                Step = _trainer.StepsDone,
                DataPosition = _trainer.ExamplesDone,
                Random = new(_record.Seed, _model.Randomness.Counter),
                LossSum = _lossSum,
                LossCount = _lossCount,
                TrainSeconds = TrainSeconds,
                CpuSeconds = CpuSeconds,
                Files = [],
            });
            _savedStep = _trainer.StepsDone;
            return null;
        }
        catch (Exception e) when (IsRefusal(e))
        {
            var before = _savedStep is { } step ? $"The checkpoint of step {step:N0} is as it was" : "There is no earlier checkpoint";
            var message = $"The checkpoint of step {_trainer.StepsDone:N0} could not be written: {FileTrouble.Words(e)} {before}";
            if (last)
                return new EnvironmentException($"{message}. Make room and run again with --resume {ShellWord.Of(_folder.Path)}.", e);
            _progress.Note($"{message}; training goes on.");
            return null;
        }
    }

    /// <summary>Whether the disk is full or not writable. .NET reports a limit on the size of files as an argument out of range.</summary>
    public static bool IsRefusal(Exception e) => e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    /// <summary>Metrics by name; null where a value is not finite, which JSON cannot say.</summary>
    public static JsonObject ToJson(IEnumerable<Metric> metrics)
    {
        var json = new JsonObject();
        foreach (var metric in metrics)
            json[metric.Name] = double.IsFinite(metric.Value) ? metric.Value : null;
        return json;
    }
}
