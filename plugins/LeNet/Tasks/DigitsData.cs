using System.Globalization;
using Zoo.Architectures;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.LeNet;

/// <summary>Digits in memory, prepared once. Owns its tensors.</summary>
internal sealed class DigitsData : TaskData
{
    private static readonly HeldOutSet Test = new("test", 0);

    private readonly Tensor _trainImages;
    private readonly Tensor _trainLabels;
    private readonly Tensor _testImages;
    private readonly Tensor _testLabels;

    /// <param name="trainImages">float32 [n, 1, 16, 16] in [-1, 1].</param>
    /// <param name="trainLabels">int64 [n].</param>
    /// <param name="testImages">float32 [m, 1, 16, 16] in [-1, 1].</param>
    /// <param name="testLabels">int64 [m].</param>
    /// <param name="description">What they are and where they come from.</param>
    public DigitsData(Tensor trainImages, Tensor trainLabels, Tensor testImages, Tensor testLabels, string description)
    {
        _trainImages = trainImages.DetachFromDisposeScope();
        _trainLabels = trainLabels.DetachFromDisposeScope();
        _testImages = testImages.DetachFromDisposeScope();
        _testLabels = testLabels.DetachFromDisposeScope();
        Description = description;
        HeldOut = [Test with { Count = testLabels.shape[0] }];
    }

    public override TaskShape Shape { get; } = new(ModelKind.ImageClassifier)
    {
        ClassCount = 10,
        Image = new ImageShape(1, PrepareOp.OutputSide, PrepareOp.OutputSide),
    };

    public override string Description { get; }

    public override long? TrainingCount => _trainLabels.shape[0];

    public override TrainingSettings Training { get; } = new() { BatchSize = 32, Passes = 10, LearningRate = 1e-3 };

    public override IReadOnlyList<HeldOutSet> HeldOut { get; }

    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => Pick(_trainImages, _trainLabels, indices);

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => Pick(_testImages, _testLabels, indices);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new ClassificationMetrics(set.Name);

    /// <summary>How much empty paper comes first, then the values where the ink begins, and the digit.</summary>
    public override string Describe(Batch batch, int row)
    {
        const int shown = 8;
        var images = (ImageBatch)batch;
        using var pixels = images.Images[row].cpu().contiguous();
        var values = pixels.data<float>().ToArray();
        var paper = Math.Max(0, values.AsSpan().IndexOfAnyExcept(values[0]));
        var ink = string.Join(' ', values.Skip(paper).Take(shown).Select(v => v.ToString("0.00", CultureInfo.InvariantCulture)));
        var label = images.Labels[row].item<long>();
        return string.Create(CultureInfo.InvariantCulture, $"{values[0]:0.##} ×{paper}, {ink} … ({values.Length} values) → {label}");
    }

    public override void Dispose()
    {
        _trainImages.Dispose();
        _trainLabels.Dispose();
        _testImages.Dispose();
        _testLabels.Dispose();
        base.Dispose();
    }

    /// <summary>A view where the numbers follow each other, as they do one by one and in a fixed order; a copy otherwise.</summary>
    private static ImageBatch Pick(Tensor images, Tensor labels, ReadOnlySpan<long> indices)
    {
        if (Follow(indices))
            return new ImageBatch(images.narrow(0, indices[0], indices.Length), labels.narrow(0, indices[0], indices.Length));
        using var rows = tensor(indices.ToArray());
        return new ImageBatch(images.index_select(0, rows), labels.index_select(0, rows));
    }

    private static bool Follow(ReadOnlySpan<long> indices)
    {
        for (var i = 1; i < indices.Length; i++)
        {
            if (indices[i] != indices[0] + i)
                return false;
        }
        return indices.Length > 0;
    }
}
