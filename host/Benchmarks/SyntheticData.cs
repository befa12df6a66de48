using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Host.Benchmarks;

/// <summary>Random inputs of a model's kind that lie ready in memory, so that a benchmark times the model and not its data.</summary>
internal sealed class SyntheticData : TaskData
{
    private readonly Dictionary<int, Batch> _batches = [];
    private readonly Func<int, Batch> _draw;

    /// <param name="model">Says the sizes of its inputs.</param>
    /// <param name="length">Time steps, where there are any.</param>
    /// <exception cref="UserException">The kind cannot be benchmarked.</exception>
    public SyntheticData(Model model, int length)
    {
        _draw = model switch
        {
            TokenModel tokens => count => Tokens(tokens, count, length),
            ImageClassifier images => count => Images(images, count),
            VectorSequenceModel vectors => count => Vectors(vectors, count, length),
            _ => throw new UserException($"zoo bench knows no inputs for a model of kind {model.Kind}."),
        };
        Shape = new TaskShape(model.Kind) { Length = length };
    }

    public override TaskShape Shape { get; }

    public override string Description => "random inputs in memory";

    public override long? TrainingCount => null;

    public override IReadOnlyList<HeldOutSet> HeldOut => [];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices)
    {
        if (!_batches.TryGetValue(indices.Length, out var batch))
            _batches[indices.Length] = batch = _draw(indices.Length);
        return batch.Share();
    }

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => TrainingBatch(indices);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => throw new NotSupportedException("A benchmark has no held-out data.");

    public override void Dispose()
    {
        foreach (var batch in _batches.Values)
            batch.Dispose();
        base.Dispose();
    }

    private static TokenBatch Tokens(TokenModel model, int count, int length)
    {
        using var scope = NewDisposeScope();
        var ids = randint(model.VocabSize, [count, length + 1], int64);
        return new TokenBatch(
            ids.narrow(1, 0, length).contiguous().DetachFromDisposeScope(),
            arange((long)count * length, int64).DetachFromDisposeScope(),
            ids.narrow(1, 1, length).reshape(-1).DetachFromDisposeScope());
    }

    private static ImageBatch Images(ImageClassifier model, int count)
    {
        var shape = model.Input;
        using var scope = NewDisposeScope();
        return new ImageBatch(
            empty(count, shape.Channels, shape.Height, shape.Width).uniform_(-1, 1).DetachFromDisposeScope(),
            randint(model.ClassCount, [count], int64).DetachFromDisposeScope());
    }

    private static VectorBatch Vectors(VectorSequenceModel model, int count, int length)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var classes = model.Logits(randn(1, 1, model.InputDim)).shape[^1];
        return new VectorBatch(
            randn(count, length, model.InputDim).DetachFromDisposeScope(), randint(classes, [count], int64).DetachFromDisposeScope());
    }
}
