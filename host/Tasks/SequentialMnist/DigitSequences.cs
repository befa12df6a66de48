using System.Globalization;
using Zoo.Architectures;
using Zoo.Data;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Tasks;

/// <summary>Digits as sequences of pixels in [0, 1], in a given order; a class for a whole sequence.</summary>
/// <param name="digits">The digits.</param>
/// <param name="pixelsPerStep">Pixels a time step.</param>
/// <param name="order">Which pixel of the image, row after row, comes when; null for the image's own order.</param>
internal sealed class DigitSequences(DigitSets digits, int pixelsPerStep, int[]? order) : TaskData
{
    /// <summary>Pixels of a digit.</summary>
    public const int PixelCount = DigitGenerator.Side * DigitGenerator.Side;

    public override TaskShape Shape { get; } = new(ModelKind.VectorSequence)
    {
        ClassCount = DigitGenerator.ClassCount,
        Length = PixelCount / pixelsPerStep,
        MaximumLength = PixelCount / pixelsPerStep,
        InputDim = pixelsPerStep,
    };

    public override string Description { get; } = string.Create(CultureInfo.InvariantCulture,
        $"{digits.Source}: {digits.Training.Count:N0} to train on, {digits.Test.Count:N0} held out, " +
        $"in {PixelCount / pixelsPerStep} steps of {pixelsPerStep}");

    public override long? TrainingCount => digits.Training.Count;

    public override TrainingSettings Training { get; } = new()
    {
        BatchSize = 50,
        Passes = 5,
        LearningRate = 1e-3,
        Schedule = ScheduleKind.Cosine,
        GradientClip = 1,
    };

    public override IReadOnlyList<HeldOutSet> HeldOut { get; } =
        [new HeldOutSet("test", digits.Test.Count) { Length = PixelCount / pixelsPerStep }];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => Pick(digits.Training, indices);

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => Pick(digits.Test, indices);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new ClassificationMetrics(set.Name);

    public override string Describe(Batch batch, int row)
    {
        var vectors = (VectorBatch)batch;
        using var values = vectors.Inputs[row].cpu();
        return PixelRow.Describe(values.data<float>().ToArray(), vectors.Labels[row].item<long>());
    }

    private VectorBatch Pick(GreyImages images, ReadOnlySpan<long> indices)
    {
        BatchLimit.Require(indices.Length, PixelCount);
        var values = new float[indices.Length * PixelCount];
        var labels = new long[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            var image = images.Image(checked((int)indices[i]));
            var target = values.AsSpan(i * PixelCount, PixelCount);
            for (var p = 0; p < PixelCount; p++)
                target[p] = image[order is null ? p : order[p]] * (1f / 255);
            labels[i] = images.Labels[indices[i]];
        }
        return new VectorBatch(tensor(values, [indices.Length, PixelCount / pixelsPerStep, pixelsPerStep]), tensor(labels));
    }
}
