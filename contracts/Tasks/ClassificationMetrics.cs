using TorchSharp;
using Zoo.Architectures;

namespace Zoo.Tasks;

/// <summary>Share of wrong answers and mean loss of a classifier: "test_error_percent", "test_misses", "test_loss".</summary>
/// <param name="prefix">The held-out set's name.</param>
public sealed class ClassificationMetrics(string prefix) : MetricAccumulator
{
    private double _lossSum;
    private long _misses;
    private long _count;

    /// <inheritdoc/>
    public override void Add(Batch batch, ModelOutput output)
    {
        var labels = batch switch
        {
            ImageBatch images => images.Labels,
            VectorBatch vectors => vectors.Labels,
            _ => throw new ArgumentException($"Classification needs labels; a {batch.GetType().Name} has none.", nameof(batch)),
        };
        using var scope = torch.NewDisposeScope();
        _misses += output.Outputs.argmax(dim: -1).ne(labels).sum().item<long>();
        _lossSum += output.Loss.item<float>() * batch.TargetCount;
        _count += batch.TargetCount;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Metric> Result() =>
    [
        new($"{prefix}_error_percent", 100.0 * _misses / _count, _count),
        new($"{prefix}_misses", _misses, _count),
        new($"{prefix}_loss", _lossSum / _count, _count),
    ];
}
