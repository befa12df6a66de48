namespace Zoo.Data;

/// <summary>Grey images of one size, each with a class. Ink is bright: 0 is empty paper, 255 full ink.</summary>
public sealed class GreyImages
{
    /// <summary>Images over the given arrays, which are not copied.</summary>
    /// <param name="height">Rows of an image.</param>
    /// <param name="width">Columns of an image.</param>
    /// <param name="pixels">Image after image, row after row: labels.Length × height × width.</param>
    /// <param name="labels">The class of each image.</param>
    /// <param name="source">Where they come from, for the run's record.</param>
    /// <exception cref="ArgumentException">The sizes do not fit together.</exception>
    public GreyImages(int height, int width, byte[] pixels, byte[] labels, string source)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        if (pixels.Length != (long)labels.Length * height * width)
            throw new ArgumentException($"{labels.Length} images of {height} × {width} need {(long)labels.Length * height * width} " +
                $"pixels, not {pixels.Length}.", nameof(pixels));
        (Height, Width, Pixels, Labels, Source) = (height, width, pixels, labels, source);
    }

    /// <summary>How many images.</summary>
    public int Count => Labels.Length;

    /// <summary>Rows of an image.</summary>
    public int Height { get; }

    /// <summary>Columns of an image.</summary>
    public int Width { get; }

    /// <summary>Image after image, row after row, [count, height, width].</summary>
    public byte[] Pixels { get; }

    /// <summary>The class of each image, [count].</summary>
    public byte[] Labels { get; }

    /// <summary>Where they come from, for the run's record: "MNIST from data/mnist".</summary>
    public string Source { get; }

    /// <summary>The pixels of one image, [height, width].</summary>
    public ReadOnlySpan<byte> Image(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        return Pixels.AsSpan(index * Height * Width, Height * Width);
    }

    /// <summary>A copy of the images with these numbers, in this order.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no image of that number.</exception>
    public GreyImages Take(ReadOnlySpan<int> indices)
    {
        var pixels = new byte[checked(indices.Length * Height * Width)];
        var labels = new byte[indices.Length];
        for (var i = 0; i < indices.Length; i++)
        {
            Image(indices[i]).CopyTo(pixels.AsSpan(i * Height * Width));
            labels[i] = Labels[indices[i]];
        }
        return new GreyImages(Height, Width, pixels, labels, Source);
    }
}
