using TorchSharp;
using Zoo.Architectures;
using Zoo.Reports;

namespace Zoo.Tasks;

/// <summary>
/// How often a model names the expected id: "test_scaled_accuracy" where there is a chance level, "test_accuracy" of the scored positions,
/// "test_sequence_accuracy" of samples with every position right (where samples have several), and "test_loss". Its details are the
/// accuracy by length, where lengths differ.
/// </summary>
/// <remarks>Scaled accuracy is (accuracy - chance) / (1 - chance): 1 is perfect, 0 is guessing (Delétang et al. 2023; Beck et al. 2024).</remarks>
/// <param name="prefix">The held-out set's name.</param>
/// <param name="chance">The share of right answers that needs no skill; null for no scaled accuracy.</param>
public sealed class TokenMetrics(string prefix, double? chance = null) : MetricAccumulator
{
    private const int MostPoints = 24;
    private readonly SortedDictionary<long, (long Right, long Count)> _byLength = [];
    private double _lossSum;
    private long _right;
    private long _count;
    private long _rightSamples;
    private long _samples;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The batch has no tokens, or the outputs are not one row of logits a target.</exception>
    public override void Add(Batch batch, ModelOutput output)
    {
        if (batch is not TokenBatch tokens)
            throw new ArgumentException($"These metrics need tokens; a {batch.GetType().Name} has none.", nameof(batch));
        // The class axis is the last one: where there are as many positions as ids, an exchange would go unseen.
        Shape.Require(output.Outputs, "outputs", tokens.TargetCount, Shape.Any);
        using var scope = torch.NewDisposeScope();
        var answers = output.Outputs.argmax(dim: -1).cpu().data<long>().ToArray();
        var targets = tokens.Targets.cpu().data<long>().ToArray();
        var positions = tokens.ScoredPositions.cpu().data<long>().ToArray();
        var samples = new Dictionary<long, (long Right, long Count, long Length)>();
        for (var i = 0; i < targets.Length; i++)
        {
            var (row, place) = Math.DivRem(positions[i], tokens.Ids.shape[1]);
            var sample = samples.GetValueOrDefault(row);
            samples[row] = (sample.Right + (answers[i] == targets[i] ? 1 : 0), sample.Count + 1, Math.Max(sample.Length, place + 1));
        }
        foreach (var (right, count, length) in samples.Values)
        {
            var same = _byLength.GetValueOrDefault(length);
            _byLength[length] = (same.Right + right, same.Count + count);
            _right += right;
            _rightSamples += right == count ? 1 : 0;
        }
        _samples += samples.Count;
        _count += targets.Length;
        _lossSum += output.Loss.ToDouble() * targets.Length;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Metric> Result()
    {
        var accuracy = (double)_right / _count;
        var metrics = new List<Metric>();
        if (chance is { } guessed)
            metrics.Add(new($"{prefix}_scaled_accuracy", (accuracy - guessed) / (1 - guessed), _count));
        metrics.Add(new($"{prefix}_accuracy", accuracy, _count));
        if (_count > _samples)
            metrics.Add(new($"{prefix}_sequence_accuracy", (double)_rightSamples / _samples, _samples));
        metrics.Add(new($"{prefix}_loss", _lossSum / _count, _count));
        return metrics;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ReportItem> Details()
    {
        if (_byLength.Count < 2)
            return [];
        var (first, last) = (_byLength.Keys.First(), _byLength.Keys.Last());
        var width = (last - first) / MostPoints + 1;
        var points = _byLength.GroupBy(l => (l.Key - first) / width)
            .Select(g => (Length: g.Average(l => l.Key), Accuracy: (double)g.Sum(l => l.Value.Right) / g.Sum(l => l.Value.Count)))
            .ToList();
        return
        [
            new PlotItem($"Accuracy of {prefix} by length", "tokens up to the last answer", "accuracy",
                [new PlotCurve(prefix, [.. points.Select(p => p.Length)], [.. points.Select(p => p.Accuracy)])]),
        ];
    }
}
