using TorchSharp;
using Zoo.Architectures;

namespace Zoo.Tasks;

/// <summary>
/// How well a model predicts text: "val_loss" (nats a token), "val_bits_per_char" (or per byte, the same in bits) and "val_perplexity" (its
/// exponential), each the mean over every scored token.
/// </summary>
/// <param name="prefix">The held-out set's name.</param>
/// <param name="unit">What a token is: <see cref="TextEncoding.Unit"/>.</param>
public sealed class LanguageModelMetrics(string prefix, string unit) : MetricAccumulator
{
    private double _nats;
    private long _count;

    /// <inheritdoc/>
    public override void Add(Batch batch, ModelOutput output)
    {
        _nats += output.Loss.ToDouble() * batch.TargetCount;
        _count += batch.TargetCount;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Metric> Result()
    {
        var nats = _nats / _count;
        return
        [
            new($"{prefix}_loss", nats, _count),
            new($"{prefix}_bits_per_{unit}", nats / Math.Log(2), _count),
            new($"{prefix}_perplexity", Math.Exp(nats), _count),
        ];
    }
}
