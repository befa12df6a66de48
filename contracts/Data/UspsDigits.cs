namespace Zoo.Data;

/// <summary>Digits of the USPS set: 16 × 16 values in [-1, 1], -1 for empty paper and 1 for full ink, each image with its class.</summary>
public sealed class UspsDigits
{
    /// <summary>Rows and columns of an image.</summary>
    public const int Side = 16;

    /// <summary>Digits over the given arrays, which are not copied.</summary>
    /// <param name="pixels">Image after image, row after row: labels.Length × 256 values in [-1, 1].</param>
    /// <param name="labels">The digit that each image shows.</param>
    /// <param name="source">Where they come from, for the run's record.</param>
    /// <exception cref="ArgumentException">The sizes do not fit together.</exception>
    public UspsDigits(float[] pixels, byte[] labels, string source)
    {
        if (pixels.Length != (long)labels.Length * Side * Side)
            throw new ArgumentException($"{labels.Length} digits need {(long)labels.Length * Side * Side} values, not " +
                $"{pixels.Length}.", nameof(pixels));
        (Pixels, Labels, Source) = (pixels, labels, source);
    }

    /// <summary>How many digits.</summary>
    public int Count => Labels.Length;

    /// <summary>Image after image, row after row, [count, 16, 16], values in [-1, 1].</summary>
    public float[] Pixels { get; }

    /// <summary>The digit that each image shows, [count].</summary>
    public byte[] Labels { get; }

    /// <summary>Where they come from, for the run's record: "USPS from data/usps".</summary>
    public string Source { get; }

    /// <summary>The values of one image, [16, 16].</summary>
    public ReadOnlySpan<float> Image(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return Pixels.AsSpan(index * Side * Side, Side * Side);
    }

    /// <summary>A copy of the digits with these numbers, in this order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no digit of that number.</exception>
    public UspsDigits Take(ReadOnlySpan<int> indices)
    {
        var pixels = new float[checked(indices.Length * Side * Side)];
        var labels = new byte[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            Image(indices[i]).CopyTo(pixels.AsSpan(i * Side * Side));
            labels[i] = Labels[indices[i]];
        }
        return new UspsDigits(pixels, labels, Source);
    }
}
