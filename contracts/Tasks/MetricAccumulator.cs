using Zoo.Architectures;
using Zoo.Reports;

namespace Zoo.Tasks;

/// <summary>Gathers a model's outputs over a held-out set and says how good they were.</summary>
public abstract class MetricAccumulator
{
    /// <summary>Counts a batch. Runs without gradients; tensors it makes are freed by the caller's scope.</summary>
    public abstract void Add(Batch batch, ModelOutput output);

    /// <summary>The metrics so far, the one that matters most first.</summary>
    public abstract IReadOnlyList<Metric> Result();

    /// <summary>What a report shows beside the numbers, such as a confusion matrix.</summary>
    public virtual IReadOnlyList<ReportItem> Details() => [];
}
