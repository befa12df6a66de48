using TorchSharp;
using Zoo.Architectures;
using Zoo.Host.Diagnostics;
using Zoo.Reports;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>
/// Scores a model on a task's held-out sets, in evaluation mode and without gradients. The numbers are reported; they never choose
/// a checkpoint.
/// </summary>
/// <param name="model">On <paramref name="device"/>; its mode is as before afterwards.</param>
/// <param name="data">Where the held-out sets come from.</param>
/// <param name="device">Where the batches go.</param>
internal sealed class Evaluator(Model model, TaskData data, Device device)
{
    private const int MaximumBatch = 256;
    private const int MaximumTokens = 1 << 14;
    private const long MaximumLogits = 1 << 26;   // 256 MB of them

    /// <summary>Metrics of the sets, in their order, the most important of each set first.</summary>
    /// <param name="sets">Some of the task's held-out sets.</param>
    /// <param name="cancellation">Asked between batches.</param>
    /// <param name="details">Gets what a report shows beside the numbers.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public IReadOnlyList<Metric> Run(
        IEnumerable<HeldOutSet> sets, CancellationToken cancellation = default, ICollection<ReportItem>? details = null)
    {
        var wasTraining = model.training;
        var drawn = model.Randomness.Counter;
        MemoryBound.Set(device);
        model.eval();
        try
        {
            return [.. sets.SelectMany(set => Score(set, cancellation, details))];
        }
        finally
        {
            model.train(wasTraining);
            model.Randomness.Counter = drawn;
        }
    }

    private IReadOnlyList<Metric> Score(HeldOutSet set, CancellationToken cancellation, ICollection<ReportItem>? details)
    {
        using var noGradients = no_grad();
        var metrics = data.NewMetrics(set);
        var length = set.Length ?? data.Shape.Length ?? 1;
        var tokens = Math.Min(MaximumTokens, MaximumLogits / ((model as TokenModel)?.VocabSize ?? 1));
        var indices = new long[Math.Clamp(tokens / length, 1, MaximumBatch)];
        for (long start = 0; start < set.Count; start += indices.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = (int)Math.Min(indices.Length, set.Count - start);
            for (var i = 0; i < count; i++)
                indices[i] = start + i;
            try
            {
                Add(metrics, set, indices.AsSpan(0, count));
            }
            catch (Exception e) when (MemoryShortage.Caused(e))
            {
                var sequences = set.Length is null && data.Shape.Length is null ? "" : $" × {length:N0} tokens";
                throw MemoryShortage.Error($"evaluating '{set.Name}' with batches of {count:N0}{sequences}", "A smaller preset needs less.", e);
            }
        }
        if (set.Count == 0)
            return [];
        foreach (var item in details is null ? [] : metrics.Details())
            details!.Add(item);
        return metrics.Result();
    }

    private void Add(MetricAccumulator metrics, HeldOutSet set, ReadOnlySpan<long> indices)
    {
        using var scope = NewDisposeScope();
        using var read = data.HeldOutBatch(set, indices);
        using var batch = device.type == DeviceType.CPU ? null : read.To(device);
        metrics.Add(batch ?? read, model.Run(batch ?? read));
    }
}
