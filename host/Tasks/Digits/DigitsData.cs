using System.Globalization;
using Zoo.Architectures;
using Zoo.Data;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Tasks;

/// <summary>The digits of the task `digits`; kept as bytes, scaled to [0, 1] batch by batch.</summary>
/// <param name="training">Digits to train on.</param>
/// <param name="test">Digits held out.</param>
/// <param name="source">What they are, for the run's record.</param>
internal sealed class DigitsData(GreyImages training, GreyImages test, string source) : TaskData
{
    public override TaskShape Shape { get; } = new(ModelKind.ImageClassifier)
    {
        ClassCount = 10,
        Image = new ImageShape(1, training.Height, training.Width),
    };

    public override string Description { get; } =
        string.Create(CultureInfo.InvariantCulture, $"{source}: {training.Count:N0} to train on, {test.Count:N0} held out");

    public override long? TrainingCount => training.Count;

    public override TrainingSettings Training { get; } = new() { BatchSize = 60, Passes = 10, LearningRate = 1e-3 };

    public override IReadOnlyList<HeldOutSet> HeldOut { get; } = [new HeldOutSet("test", test.Count)];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => Pick(training, indices);

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => Pick(test, indices);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new ClassificationMetrics(set.Name);

    public override string Describe(Batch batch, int row)
    {
        var images = (ImageBatch)batch;
        using var pixels = images.Images[row].cpu();
        return PixelRow.Describe(pixels.data<float>().ToArray(), images.Labels[row].item<long>());
    }

    private static ImageBatch Pick(GreyImages digits, ReadOnlySpan<long> indices)
    {
        var size = digits.Height * digits.Width;
        BatchLimit.Require(indices.Length, size);
        var pixels = new float[indices.Length * size];
        var labels = new long[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            var image = digits.Image(checked((int)indices[i]));
            var target = pixels.AsSpan(i * size, size);
            for (var p = 0; p < size; p++)
                target[p] = image[p] * (1f / 255);
            labels[i] = digits.Labels[indices[i]];
        }
        return new ImageBatch(tensor(pixels, [indices.Length, 1, digits.Height, digits.Width]), tensor(labels));
    }
}
