using System.Security.Cryptography;
using Zoo.Data;

namespace Zoo.Tests.Data;

[TestFixture]
public sealed class DigitGeneratorTests
{
    private const int PixelCount = DigitGenerator.Side * DigitGenerator.Side;

    /// <summary>Other digits from the same seed make old runs irreproducible: if this must change, <see cref="DigitGenerator.Version"/> goes up.</summary>
    // x64 with and without vector instructions gives these; the arithmetic is exact, so that other machines must too.
    [TestCase(1ul, "940c4ec1a38b995c51754975bfbd16f92e807cce55d063a831f5ae893d4d4762")]
    [TestCase(DigitGenerator.HeldOutSeed, "fd01121a4540c5c6f49cebc04298b316a7107f3988b624abf34e8261db623f02")]
    public void DrawRange_ThisVersion_GivesTheseDigits(ulong seed, string hash)
    {
        var digits = new DigitGenerator(seed).DrawRange(0, 1000);
        Assert.That(DigitGenerator.Version, Is.EqualTo(1));   // the version of these hashes
        Assert.That(Hash(digits), Is.EqualTo(hash));
    }

    [Test]
    public void DrawRange_AnyNumberOfThreads_GivesTheSame([Values(1, 2, 7)] int threads)
    {
        var generator = new DigitGenerator(seed: 5);
        Assert.That(Hash(generator.DrawRange(100, 333, threads)), Is.EqualTo(Hash(generator.DrawRange(100, 333))));
    }

    [Test]
    public void Draw_SomeIndicesInAnyOrder_GivesTheDigitsOfTheRange()
    {
        var generator = new DigitGenerator(seed: 5);
        var range = generator.DrawRange(0, 200);
        var some = generator.Draw([150, 3, 199, 3]);
        Assert.That(Hash(some), Is.EqualTo(Hash(range.Take([150, 3, 199, 3]))));
    }

    [Test]
    public void Draw_BufferWithOldContent_WritesEveryPixel()
    {
        var generator = new DigitGenerator(seed: 5);
        var pixels = new byte[PixelCount];
        Array.Fill(pixels, (byte)77);
        generator.Draw(0, pixels);
        Assert.That(pixels, Is.EqualTo(generator.DrawRange(0, 1).Pixels));
    }

    [Test]
    public void Draw_LargestIndexAndSeed_Works() =>
        Assert.That(new DigitGenerator(ulong.MaxValue).Draw([long.MaxValue]).Pixels.Max(), Is.GreaterThan(150));

    [Test]
    public void DrawRange_ManyDigits_ClassesAreBalanced()
    {
        var digits = new DigitGenerator(seed: 1).DrawRange(0, 10_000);
        var counts = digits.Labels.CountBy(label => label).ToDictionary();
        Assert.That(counts, Has.Count.EqualTo(10));
        Assert.That(counts.Values, Has.All.InRange(880, 1120), "1,000 expected, standard deviation 30");
    }

    /// <summary>Also across seeds that differ in one bit: no digit of a training set stands in another or in the held-out one.</summary>
    [Test]
    public void DrawRange_SeveralSeeds_NoDigitTwice()
    {
        ulong[] seeds = [0, 1, 2, 3, 1 << 16, DigitGenerator.HeldOutSeed, DigitGenerator.HeldOutSeed ^ 1];
        var sets = seeds.Select(seed => new DigitGenerator(seed).DrawRange(0, 1000)).ToList();
        var hashes = sets.SelectMany(set => Enumerable.Range(0, set.Count).Select(i => Convert.ToHexString(SHA256.HashData(set.Image(i))))).ToList();
        Assert.That(hashes.Distinct().Count(), Is.EqualTo(hashes.Count));
    }

    [Test]
    public void HeldOutSeed_IsNoSeedOfARun() =>
        Assert.That(DigitGenerator.HeldOutSeed, Is.GreaterThan(uint.MaxValue));

    /// <summary>Bounds are MNIST's own numbers (mean 0.131 of full ink, 0.063 to 0.21 for nine in ten digits) with room.</summary>
    [Test]
    public void DrawRange_ManyDigits_InkIsLikeMnists()
    {
        var digits = new DigitGenerator(seed: 1).DrawRange(0, 2000);
        var ink = Enumerable.Range(0, digits.Count).Select(i => digits.Image(i).ToArray().Average(p => p / 255.0)).Order().ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(ink.Average(), Is.EqualTo(0.131).Within(0.01));
            Assert.That(ink[0], Is.GreaterThan(0.02), "the faintest digit is still there");
            Assert.That(ink[^1], Is.LessThan(0.35), "the fattest digit is no blot");
        });
    }

    [Test]
    public void DrawRange_ManyDigits_AreCentredAndHaveEmptyBorders()
    {
        var digits = new DigitGenerator(seed: 1).DrawRange(0, 2000);
        Assert.Multiple(() =>
        {
            for (var i = 0; i < digits.Count; i++)
            {
                double mass = 0, x = 0, y = 0;
                var image = digits.Image(i);
                for (var p = 0; p < PixelCount; p++)
                {
                    mass += image[p];
                    x += image[p] * (p % DigitGenerator.Side + 0.5);
                    y += image[p] * (p / DigitGenerator.Side + 0.5);
                }
                Assert.That(x / mass, Is.EqualTo(14).Within(2.5), $"digit {i}");
                Assert.That(y / mass, Is.EqualTo(14).Within(2.5), $"digit {i}");
            }
        });
    }

    /// <summary>The classes can be told apart, and not at a glance: nearest neighbours among 3,000 miss 6 %.</summary>
    [Test]
    public void DrawRange_HeldOutDigits_AreHarderThanTrivialAndLearnable()
    {
        var training = new DigitGenerator(seed: 1).DrawRange(0, 3000);
        var test = new DigitGenerator(DigitGenerator.HeldOutSeed).DrawRange(0, 300);
        var misses = Enumerable.Range(0, test.Count).AsParallel().Count(i => Nearest(training, test.Image(i)) != test.Labels[i]);
        Assert.That(100.0 * misses / test.Count, Is.InRange(3, 12));
    }

    [Test]
    public void Draw_OtherVariation_GivesOtherDigitsOfTheSameClasses()
    {
        var plain = new DigitGenerator(seed: 1).DrawRange(0, 50);
        var neat = new DigitGenerator(seed: 1, new DigitVariation { Jitter = 0, Elastic = 0, Noise = 0 }).DrawRange(0, 50);
        Assert.That(neat.Labels, Is.EqualTo(plain.Labels));
        Assert.That(Hash(neat), Is.Not.EqualTo(Hash(plain)));
    }

    /// <summary>A thick pen, wild jitter or a variation of nothing at all must not leave the image's memory or make NaN.</summary>
    [TestCase(0f)]
    [TestCase(20f)]
    public void Draw_ExtremeVariation_StaysInTheImage(float factor)
    {
        var wild = new DigitVariation
        {
            Jitter = factor,
            Elastic = factor,
            Overshoot = factor,
            Rotation = factor,
            SlantMean = factor,
            Slant = factor,
            Aspect = factor,
            Size = factor,
            Shift = factor,
            PenRadius = factor,
            PenSpread = factor,
            Pressure = factor,
            Blur = factor,
            Noise = factor,
            Sloppiness = factor,
        };
        var digits = new DigitGenerator(seed: 1, wild).DrawRange(0, 500);
        Assert.That(digits.Pixels.Max(), Is.GreaterThan(0));
    }

    [Test]
    public void Draw_WrongArguments_Throw()
    {
        var generator = new DigitGenerator(seed: 1);
        Assert.That(() => generator.Draw(-1, new byte[PixelCount]), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => generator.Draw(0, new byte[PixelCount - 1]), Throws.ArgumentException);
        Assert.That(() => generator.DrawRange(0, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void OfDigit_EveryStyle_IsWellFormed([Range(0, 9)] int digit)
    {
        var styles = DigitStyle.OfDigit[digit];
        Assert.Multiple(() =>
        {
            Assert.That(styles.Sum(style => style.Share), Is.EqualTo(100));
            foreach (var style in styles)
            {
                Assert.That(style.From, Has.Length.EqualTo(2 * style.PointCount));
                Assert.That(style.To, Has.Length.EqualTo(2 * style.PointCount), "both poses have the same points");
                Assert.That(style.PointCount, Is.LessThanOrEqualTo(24), "what a drawing has room for");
                Assert.That(style.StrokeEnds[^1], Is.EqualTo(style.PointCount));
                Assert.That(style.From.Concat(style.To), Has.All.InRange(0f, 1f));
            }
        });
    }

    private static byte Nearest(GreyImages training, ReadOnlySpan<byte> image)
    {
        var (best, label) = (long.MaxValue, (byte)0);
        for (var i = 0; i < training.Count; i++)
        {
            var other = training.Image(i);
            long distance = 0;
            for (var p = 0; p < PixelCount; p++)
            {
                var d = image[p] - other[p];
                distance += d * d;
            }
            if (distance < best)
                (best, label) = (distance, training.Labels[i]);
        }
        return label;
    }

    private static string Hash(GreyImages images) => Convert.ToHexStringLower(SHA256.HashData([.. images.Pixels, .. images.Labels]));
}
