namespace Zoo.Data;

/// <summary>
/// Draws handwritten digits, so that everything runs without a download: grey images of 28 × 28 with MNIST's conventions (bright ink,
/// fitted into 20 × 20, centred by mass). A digit is written in one of several styles with a pen of its own width and pressure; its
/// strokes are jittered, bent elastically, slanted, turned and squeezed.
/// </summary>
/// <remarks>
/// Digit i is a function of <see cref="Version"/>, seed, variation and i alone, bit for bit: it depends neither on the order of drawing
/// nor on threads or machine (the arithmetic keeps to operations that IEEE 754 rounds exactly).
/// </remarks>
/// <param name="seed">Numbers the set.</param>
/// <param name="variation">How different the digits are; null for <see cref="DigitVariation.Default"/>.</param>
public sealed class DigitGenerator(ulong seed, DigitVariation? variation = null)
{
    /// <summary>Goes up when the same seed gives other digits than before.</summary>
    public const int Version = 1;

    /// <summary>Rows and columns of an image.</summary>
    public const int Side = 28;

    /// <summary>How many classes there are.</summary>
    public const int ClassCount = 10;

    /// <summary>The seed of held-out digits: above every 32-bit number, so that no run's seed trains on them.</summary>
    public const ulong HeldOutSeed = 0x5A0_0000_0001;

    private readonly DigitVariation _variation = variation ?? DigitVariation.Default;

    /// <summary>Numbers the set.</summary>
    public ulong Seed => seed;

    /// <summary>Draws one digit.</summary>
    /// <param name="index">Its number, from 0.</param>
    /// <param name="pixels">Where it goes, [28, 28].</param>
    /// <returns>The digit that it shows.</returns>
    public byte Draw(long index, Span<byte> pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        if (pixels.Length != Side * Side)
            throw new ArgumentException($"A digit needs {Side * Side} pixels, not {pixels.Length}.", nameof(pixels));
        var random = new SampleRandom(Version, seed, (ulong)index);
        var digit = random.Below(ClassCount);
        var drawing = new DigitDrawing(digit, ref random, _variation);
        drawing.Ink(pixels, ref random, _variation);
        return (byte)digit;
    }

    /// <summary>Draws the digits with these numbers, in this order.</summary>
    /// <param name="indices">Their numbers, from 0.</param>
    public GreyImages Draw(ReadOnlySpan<long> indices)
    {
        var (pixels, labels) = Allocate(indices.Length);
        for (var i = 0; i < indices.Length; i++)
            labels[i] = Draw(indices[i], pixels.AsSpan(i * Side * Side, Side * Side));
        return new GreyImages(Side, Side, pixels, labels, Source);
    }

    /// <summary>Draws <paramref name="count"/> digits from number <paramref name="first"/> on.</summary>
    /// <param name="first">The first one's number, from 0.</param>
    /// <param name="count">How many.</param>
    /// <param name="threads">How many threads may draw; 0 for one a processor. The digits do not depend on it.</param>
    public GreyImages DrawRange(long first, int count, int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        const int Block = 64;
        var (pixels, labels) = Allocate(count);
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads };
        Parallel.For(0, (count + Block - 1) / Block, options, block =>
        {
            for (var i = block * Block; i < Math.Min(count, (block + 1) * Block); i++)
                labels[i] = Draw(first + i, pixels.AsSpan(i * Side * Side, Side * Side));
        });
        return new GreyImages(Side, Side, pixels, labels, Source);
    }

    private string Source => $"digits drawn by Zoo (version {Version}, seed {seed})";

    private static (byte[] pixels, byte[] labels) Allocate(int count) => (new byte[checked(count * Side * Side)], new byte[count]);
}
