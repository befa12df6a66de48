using TorchSharp;
using Zoo;
using Zoo.Architectures;
using Zoo.Tasks;
using Zoo.Training;

namespace PixelMlp;

/// <summary>
/// The images of <see cref="ShapesTask"/>. Image i follows from the seed and i alone, whatever the batch size and wherever a run resumed.
/// </summary>
internal sealed class ShapesData(ShapesOptions options, int seed) : TaskData
{
    private const int Side = 16;
    private const int ClassCount = 4;
    private const ulong HeldOutStream = ulong.MaxValue;   // held-out images are the same in every run, and no run's seed

    public override TaskShape Shape { get; } =
        new(ModelKind.ImageClassifier) { ClassCount = ClassCount, Image = new ImageShape(1, Side, Side) };

    public override string Description => $"shapes drawn from seed {seed}, noise {options.Noise}, tilt {options.Tilt}°";

    public override long? TrainingCount => null;   // they never end

    public override TrainingSettings Training => new() { Steps = 600, BatchSize = 64 };

    public override IReadOnlyList<HeldOutSet> HeldOut { get; } = [new("test", 1000)];

    public override Batch TrainingBatch(ReadOnlySpan<long> indices) => Draw((uint)seed, indices);

    public override Batch HeldOutBatch(HeldOutSet set, ReadOnlySpan<long> indices) => Draw(HeldOutStream, indices);

    public override MetricAccumulator NewMetrics(HeldOutSet set) => new ClassificationMetrics(set.Name);

    private ImageBatch Draw(ulong stream, ReadOnlySpan<long> indices)
    {
        var pixels = new float[indices.Length * Side * Side];
        var labels = new long[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            // An image takes 261 numbers; each has 1,024 of the stream to itself.
            var random = new CounterRandom(stream) { Counter = 1024 * (ulong)indices[i] };
            labels[i] = Draw(random, pixels.AsSpan(i * Side * Side, Side * Side));
        }
        return new ImageBatch(torch.tensor(pixels, [indices.Length, 1, Side, Side]), torch.tensor(labels));
    }

    private long Draw(CounterRandom random, Span<float> image)
    {
        var label = random.NextInt32(0, ClassCount);
        var (x, y, radius) = (Between(random, 5, 10), Between(random, 5, 10), Between(random, 3, 6));
        var (sin, cos) = Math.SinCos(Between(random, -options.Tilt, options.Tilt) * Math.PI / 180);
        for (var row = 0; row < Side; row++)
        {
            for (var column = 0; column < Side; column++)
            {
                var (dx, dy) = ((column - x) / radius, (row - y) / radius);
                var ink = IsInside(label, cos * dx + sin * dy, cos * dy - sin * dx) ? 1 : -1;
                image[row * Side + column] = (float)(ink + Between(random, -options.Noise, options.Noise));
            }
        }
        return label;
    }

    private static double Between(CounterRandom random, double least, double below) => least + (below - least) * random.NextDouble();

    /// <summary>Whether a point, in units of the shape's radius and with y downwards, has ink.</summary>
    private static bool IsInside(int label, double x, double y) => label switch
    {
        0 => x * x + y * y < 0.85,
        1 => Math.Max(Math.Abs(x), Math.Abs(y)) < 0.8,
        2 => y < 0.6 && Math.Sqrt(3) * Math.Abs(x) < y + 1.1,
        _ => Math.Min(Math.Abs(x), Math.Abs(y)) < 0.3 && Math.Max(Math.Abs(x), Math.Abs(y)) < 1,
    };
}
