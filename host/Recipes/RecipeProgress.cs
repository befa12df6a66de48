using System.Diagnostics;
using Zoo.Host.Cli;
using Zoo.Host.Training;
using Zoo.Recipes;

namespace Zoo.Host.Recipes;

/// <summary>Says how far a recipe's trainings are: which run, at which step, how many are done and about how long the rest takes.</summary>
/// <param name="output">Where notes go.</param>
/// <param name="specs">The trainings; several may run at once, and some may be finished from an earlier call.</param>
internal sealed class RecipeProgress(Output output, IReadOnlyList<RunSpec> specs)
{
    private const double LeastWork = 0.02;   // of a training: what an estimate of the rest needs

    private readonly Lock _gate = new();
    private readonly LiveLine _line = new(output, plainInterval: TimeSpan.FromSeconds(30));
    private readonly SortedDictionary<int, (long First, long Last)> _running = [];
    private readonly long _started = Stopwatch.GetTimestamp();
    private int _ended;
    private double _endedWork;

    /// <summary>A training has come to a step.</summary>
    /// <param name="index">Which of the specs.</param>
    /// <param name="step">Steps that it has made, in earlier calls, too.</param>
    public void Step(int index, long step)
    {
        lock (_gate)
        {
            _running[index] = (_running.TryGetValue(index, out var known) ? known.First : step, step);
            _line.Update(() => Words(Stopwatch.GetElapsedTime(_started).TotalSeconds));
        }
    }

    /// <summary>A training has ended.</summary>
    /// <param name="index">Which of the specs.</param>
    /// <param name="outcome">How, in words.</param>
    public void End(int index, string outcome)
    {
        lock (_gate)
        {
            if (_running.Remove(index, out var steps) && specs[index].Steps is { } all)
                _endedWork += (all - steps.First) / (double)Math.Max(1, all);
            _ended++;
            _line.Note($"{_ended} of {specs.Count}: {specs[index].Label}, seed {specs[index].Seed}: {outcome}");
        }
    }

    /// <summary>Takes the live line away.</summary>
    public void Clear()
    {
        lock (_gate)
            _line.Clear();
    }

    /// <summary>
    /// "1 of 4 done; mlstm, seed 2: step 300 of 1,500; about 5 min left". The rest is reckoned as if every training took as long as
    /// those so far; without the numbers of steps nothing is said of it.
    /// </summary>
    /// <param name="seconds">Since the trainings began.</param>
    internal string Words(double seconds)
    {
        var parts = new List<string> { $"{_ended} of {specs.Count} done" };
        var (work, left) = (_endedWork, (double)(specs.Count - _ended));
        foreach (var (index, (first, last)) in _running)
        {
            var spec = specs[index];
            parts.Add($"{spec.Label}, seed {spec.Seed}: step {last:N0}{(spec.Steps is { } all ? $" of {all:N0}" : "")}");
            work += (last - first) / (double)Math.Max(1, spec.Steps ?? 1);
            left -= last / (double)Math.Max(1, spec.Steps ?? 1);
        }
        if (work >= LeastWork && specs.All(s => s.Steps is not null))
            parts.Add($"about {TrainingProgress.Duration(Math.Max(0, left) * seconds / work)} left");
        return string.Join("; ", parts);
    }
}
