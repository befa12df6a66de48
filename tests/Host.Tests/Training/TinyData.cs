using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

/// <summary>Random 4 x 4 images whose brightest third is their class; example i is a function of i.</summary>
internal sealed class TinyData : TaskData
{
    public override TaskShape Shape => new(ModelKind.ImageClassifier) { ClassCount = 3, Image = new(1, 4, 4) };

    public override string Description => "tiny images";

    public override long? TrainingCount { get; } = 40;

    /// <summary>A pixel of this training example is NaN.</summary>
    public long? PoisonedExample { get; init; }

    /// <summary>Called before each training batch.</summary>
    public Action OnTrainingBatch { get; init; } = () => { };

    /// <summary>Called before each held-out batch.</summary>
    public Action OnHeldOutBatch { get; init; } = () => { };

    public override IReadOnlyList<HeldOutSet> HeldOut => [new("test", 30), new("late", 10) { DuringTraining = false }];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices)
    {
        OnTrainingBatch();
        return Make(indices, 1000);
    }

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices)
    {
        OnHeldOutBatch();
        return Make(indices, set.Name == "test" ? 5000 : 9000);
    }

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new ClassificationMetrics(set.Name);

    private ImageBatch Make(ReadOnlySpan<long> indices, int stream)
    {
        var pixels = new float[indices.Length * 16];
        var labels = new long[indices.Length];
        for (var n = 0; n < indices.Length; n++)
        {
            var random = new Random((int)indices[n] + stream);
            labels[n] = random.Next(3);
            for (var i = 0; i < 16; i++)
                pixels[n * 16 + i] = random.NextSingle() + (i / 5 == labels[n] ? 1 : 0);
            if (stream == 1000 && indices[n] == PoisonedExample)
                pixels[n * 16] = float.NaN;
        }
        return new ImageBatch(tensor(pixels, [indices.Length, 1, 4, 4]), tensor(labels));
    }
}
