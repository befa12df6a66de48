using System.Text;
using TorchSharp;
using Zoo.Architectures;
using Zoo.Training;

namespace Zoo.Tasks;

/// <summary>
/// Token sequences that a <see cref="TokenGenerator"/> writes. Sample i of a set is a function of (task, version, seed, set, i); its row is as
/// wide as the set's longest sample needs, whatever batch it is in.
/// </summary>
public sealed class GeneratedTokens : TaskData
{
    private readonly TokenGenerator _generator;
    private readonly GeneratedSet _training;
    private readonly IReadOnlyList<GeneratedSet> _heldOut;
    private readonly ulong _stream;
    private readonly ulong _trainingSeed;

    /// <param name="generator">Writes the samples.</param>
    /// <param name="task">Its name and version choose the random numbers.</param>
    /// <param name="seed">The run's seed; held-out samples do not depend on it.</param>
    /// <param name="training">What it trains on; the name counts for nothing.</param>
    /// <param name="heldOut">What it is scored on; each has a number of samples.</param>
    /// <param name="settings">How it trains unless the user or the model says otherwise.</param>
    public GeneratedTokens(
        TokenGenerator generator, TaskInfo task, int seed, GeneratedSet training, IReadOnlyList<GeneratedSet> heldOut, TrainingSettings settings)
    {
        (_generator, _training, _heldOut, Training) = (generator, training, heldOut, settings);
        _stream = SampleRandom.Stream(task.Name, task.Version);
        _trainingSeed = SampleRandom.TrainingSeed(seed);
        HeldOut = [.. heldOut.Select(s => new HeldOutSet(s.Name, s.Count!.Value) { Length = Width(s), DuringTraining = s.DuringTraining })];
        Shape = new TaskShape(ModelKind.TokenModel)
        {
            VocabSize = generator.VocabSize,
            Length = Width(training),
            MaximumLength = heldOut.Append(training).Max(Width),
        };
        Description = $"generated (version {task.Version}, seed {seed}): {Words(training)} to train on, held out: " +
            string.Join("; ", heldOut.Select(s => $"{s.Name} with {Words(s)}"));
    }

    /// <inheritdoc/>
    public override TaskShape Shape { get; }

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override long? TrainingCount => _training.Count;

    /// <inheritdoc/>
    public override TrainingSettings Training { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<HeldOutSet> HeldOut { get; }

    /// <inheritdoc/>
    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => Write(_training, _trainingSeed, indices);

    /// <inheritdoc/>
    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) =>
        Write(Find(set), SampleRandom.HeldOutSeed(set.Name), indices);

    /// <inheritdoc/>
    public override MetricAccumulator NewMetrics(HeldOutSet set)
    {
        var lengths = Find(set);
        var chances = Enumerable.Range(lengths.Shortest, lengths.Longest - lengths.Shortest + 1).Select(_generator.Chance).ToList();
        return new TokenMetrics(set.Name, chances.Contains(null) ? null : chances.Average());
    }

    /// <summary>The tokens of a sample; a scored one is followed by "→" and the answer. Padding is left out.</summary>
    public override string Describe(Batch batch, int row)
    {
        var tokens = (TokenBatch)batch;
        var width = tokens.Ids.shape[1];
        var ids = tokens.Ids.cpu().data<long>().ToArray().AsSpan((int)(row * width), (int)width).ToArray();
        var answers = tokens.ScoredPositions.cpu().data<long>().ToArray().Zip(tokens.Targets.cpu().data<long>().ToArray())
            .Where(scored => scored.First / width == row)
            .ToDictionary(scored => (int)(scored.First % width), scored => scored.Second);
        var end = Math.Max(answers.Keys.Max(), Array.FindLastIndex(ids, id => id != _generator.Padding));
        var text = new StringBuilder();
        for (var t = 0; t <= end; t++)
        {
            text.Append(t > 0 ? " " : "").Append(_generator.Symbol(ids[t]));
            if (answers.TryGetValue(t, out var answer))
                text.Append('→').Append(_generator.Symbol(answer));
        }
        return text.ToString();
    }

    private TokenBatch Write(GeneratedSet set, ulong seed, ReadOnlySpan<long> indices)
    {
        var width = Width(set);
        if ((long)indices.Length * width > Array.MaxLength)
            throw new UserException($"A batch of {indices.Length:N0} samples of {width:N0} tokens is too large; lower --batch-size or --length.");
        var row = new TokenRow(indices.Length, width, _generator.Padding);
        for (var i = 0; i < indices.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(indices[i], nameof(indices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(indices[i], set.Count ?? long.MaxValue, nameof(indices));
            var random = new SampleRandom(_stream, seed, (ulong)indices[i]);
            var length = set.Shortest == set.Longest ? set.Longest : set.Shortest + random.Below(set.Longest - set.Shortest + 1);
            row.Begin(i);
            _generator.Write(row, length, ref random);
        }
        var (ids, positions, targets) = row.Written;
        return new TokenBatch(torch.tensor(ids, [indices.Length, width]), torch.tensor(positions), torch.tensor(targets));
    }

    private GeneratedSet Find(HeldOutSet set) => _heldOut.First(s => s.Name == set.Name);

    private int Width(GeneratedSet set) => _generator.TimeSteps(set.Longest);

    private static string Words(GeneratedSet set)
    {
        var lengths = set.Shortest == set.Longest ? $"length {set.Longest:N0}" : $"lengths {set.Shortest:N0} to {set.Longest:N0}";
        return $"{(set.Count is { } count ? $"{count:N0}" : "endless")} samples of {lengths}";
    }
}
