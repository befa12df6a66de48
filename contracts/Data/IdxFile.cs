using System.Buffers.Binary;
using Zoo.Files;

namespace Zoo.Data;

/// <summary>Reads the IDX files in which MNIST and sets like it come, plain or gzip (told by content, not by name).</summary>
public static class IdxFile
{
    private const uint ImagesMagic = 0x803;   // unsigned bytes, three axes
    private const uint LabelsMagic = 0x801;   // unsigned bytes, one axis
    private const int LongestSide = 4096;

    /// <summary>Reads images and their labels.</summary>
    /// <param name="imagesPath">A file such as train-images-idx3-ubyte.gz.</param>
    /// <param name="labelsPath">The file of its labels.</param>
    /// <param name="source">What the run's record says of them; null for the images' path.</param>
    /// <exception cref="BadFileException">
    /// A file is missing, truncated, longer than its header says, no IDX file of this kind, or the two do not belong together.
    /// </exception>
    public static GreyImages Read(string imagesPath, string labelsPath, string? source = null)
    {
        var labels = ReadLabels(labelsPath);
        using var file = new DataFile(imagesPath);
        Span<byte> header = stackalloc byte[16];
        CheckMagic(file, header[..file.Read(header)], ImagesMagic, header.Length);
        var count = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        var height = BinaryPrimitives.ReadUInt32BigEndian(header[8..]);
        var width = BinaryPrimitives.ReadUInt32BigEndian(header[12..]);
        if (height is 0 or > LongestSide || width is 0 or > LongestSide)
            throw new BadFileException($"'{imagesPath}' is damaged: its header says that an image has {height} × {width} pixels; 1 to " +
                $"{LongestSide} a side are possible. Get it again.");
        var pixels = ReadRest(file, header.Length, (UInt128)count * height * width, $"{count:N0} images of {height} × {width}");
        if (count != labels.Length)
            throw new BadFileException($"'{imagesPath}' has {count:N0} images but '{labelsPath}' has {labels.Length:N0} labels; take " +
                $"both from the same set.");
        return new GreyImages((int)height, (int)width, pixels, labels, source ?? imagesPath);
    }

    private static byte[] ReadLabels(string path)
    {
        using var file = new DataFile(path);
        Span<byte> header = stackalloc byte[8];
        CheckMagic(file, header[..file.Read(header)], LabelsMagic, header.Length);
        var count = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        var labels = ReadRest(file, header.Length, count, $"{count:N0} labels");
        var wrong = labels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)9);
        if (wrong >= 0)
            throw new BadFileException($"'{path}' has the label {labels[wrong]} for image {wrong}; digits have labels 0 to 9. Name a " +
                $"set of digits.");
        return labels;
    }

    private static void CheckMagic(DataFile file, ReadOnlySpan<byte> header, uint wanted, int length)
    {
        var (name, other) = wanted == ImagesMagic ? ("images", "labels") : ("labels", "images");
        if (header.Length >= 4)
        {
            var magic = BinaryPrimitives.ReadUInt32BigEndian(header);
            if (magic is ImagesMagic or LabelsMagic && magic != wanted)
                throw new BadFileException($"'{file.Path}' holds {other} where the file of {name} was expected; are the two swapped?");
            if (magic != wanted)
                throw new BadFileException($"'{file.Path}' is no IDX file of {name}: it begins with 0x{magic:x8} and must begin with " +
                    $"0x{wanted:x8}; name a file of MNIST's format.");
        }
        if (header.Length < length)
            throw new BadFileException($"'{file.Path}' ends after {header.Length} bytes, inside its header of {length}; get it again.");
    }

    /// <summary>Reads what the header promises, no byte less or more.</summary>
    private static byte[] ReadRest(DataFile file, int headerBytes, UInt128 promised, string what)
    {
        if (promised > (ulong)Array.MaxLength)
            throw new BadFileException($"'{file.Path}' is damaged or too large: its header promises {what}, and {Array.MaxLength:N0} " +
                $"bytes are the most that one set may have.");
        if (promised + (uint)headerBytes > (ulong)file.MostBytes)
        {
            var packed = file.IsPacked ? "gzip bytes, which cannot hold them" : "bytes";
            throw new BadFileException($"'{file.Path}' is truncated: its header promises {what} and the file has {file.StoredBytes:N0} " +
                $"{packed}; get it again.");
        }
        var content = new byte[(int)promised];
        var read = file.Read(content);
        if (read < content.Length)
            throw new BadFileException($"'{file.Path}' is truncated: its header promises {what}, {content.Length:N0} bytes, and " +
                $"{read:N0} are there; get it again.");
        if (file.Read(stackalloc byte[1]) != 0)
            throw new BadFileException($"'{file.Path}' goes on after the {what} that its header promises; get it again.");
        return content;
    }
}
