using System.Buffers.Binary;
using System.IO.Compression;

namespace Zoo.Tests.Data;

/// <summary>A folder of its own for a test, and small data files to put there.</summary>
internal sealed class DataFiles : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("zoo-data-").FullName;

    /// <summary>Writes a file and returns its path.</summary>
    public string Write(string name, byte[] content)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    public string Write(string name, string content) => Write(name, System.Text.Encoding.UTF8.GetBytes(content));

    /// <summary>Writes the four files of a tiny MNIST: 3 training images and 2 test images of 28 × 28.</summary>
    public void WriteMnist(string folder, string suffix = "", char separator = '-')
    {
        byte[] Packed(byte[] content) => suffix == ".gz" ? Gzip(content) : content;
        Write($"{folder}/train-images{separator}idx3-ubyte{suffix}", Packed(Images(3, 28, 28)));
        Write($"{folder}/train-labels{separator}idx1-ubyte{suffix}", Packed(Labels(7, 8, 9)));
        Write($"{folder}/t10k-images{separator}idx3-ubyte{suffix}", Packed(Images(2, 28, 28)));
        Write($"{folder}/t10k-labels{separator}idx1-ubyte{suffix}", Packed(Labels(0, 1)));
    }

    /// <summary>Writes a tiny USPS: 2 training digits and 1 test digit.</summary>
    public void WriteUsps(string folder)
    {
        Write($"{folder}/zip.train", UspsLine(3) + UspsLine(4));
        Write($"{folder}/zip.test.gz", Gzip(System.Text.Encoding.UTF8.GetBytes(UspsLine(5))));
    }

    /// <summary>An IDX file of images; the pixel at flat position i is i modulo 251.</summary>
    public static byte[] Images(uint count, uint height, uint width)
    {
        var pixels = new byte[count * height * width];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i % 251);
        return Idx(0x803, [count, height, width], pixels);
    }

    public static byte[] Labels(params byte[] labels) => Idx(0x801, [(uint)labels.Length], labels);

    public static byte[] Idx(uint magic, uint[] sizes, byte[] content)
    {
        var file = new byte[4 + 4 * sizes.Length + content.Length];
        BinaryPrimitives.WriteUInt32BigEndian(file, magic);
        for (var i = 0; i < sizes.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(4 + 4 * i), sizes[i]);
        content.CopyTo(file, 4 + 4 * sizes.Length);
        return file;
    }

    /// <summary>A line of USPS's format; value i is i / 128 - 1, with three decimals.</summary>
    public static string UspsLine(int label) =>
        $"{label}.0000 " + string.Concat(Enumerable.Range(0, 256).Select(i => FormattableString.Invariant($"{i / 128f - 1:0.000} "))) + "\n";

    public static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(content);
        return packed.ToArray();
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
