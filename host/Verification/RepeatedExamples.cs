using Zoo.Tasks;

namespace Zoo.Host.Verification;

/// <summary>A batch as a task's training data.</summary>
/// <param name="examples">Stays the caller's.</param>
/// <param name="shape">What it is.</param>
internal sealed class RepeatedExamples(Batch examples, TaskShape shape) : TaskData
{
    public override TaskShape Shape => shape;

    public override string Description => $"{examples.Count} random examples";

    public override long? TrainingCount => examples.Count;

    public override IReadOnlyList<HeldOutSet> HeldOut => [];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => ModelSubject.Rows(examples, indices);

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => throw new NotSupportedException("Nothing is held out.");

    public override MetricAccumulator NewMetrics(HeldOutSet set) => throw new NotSupportedException("Nothing is held out.");
}
