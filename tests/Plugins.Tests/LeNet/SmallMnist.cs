using System.Buffers.Binary;

namespace Zoo.Tests.LeNet;

/// <summary>A folder with a tiny set in MNIST's format: image n has every pixel n, and label n % 10.</summary>
internal sealed class SmallMnist : IDisposable
{
    public SmallMnist(int trainCount, int testCount)
    {
        Write("train", trainCount);
        Write("t10k", testCount);
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("zoo-mnist-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private void Write(string set, int count)
    {
        var numbers = Enumerable.Range(0, count).ToList();
        WriteFile($"{set}-images-idx3-ubyte", [0x803, count, 28, 28], [.. numbers.SelectMany(n => Enumerable.Repeat((byte)n, 28 * 28))]);
        WriteFile($"{set}-labels-idx1-ubyte", [0x801, count], [.. numbers.Select(n => (byte)(n % 10))]);
    }

    private void WriteFile(string name, int[] header, byte[] content)
    {
        var bytes = new byte[4 * header.Length + content.Length];
        for (var i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4 * i), header[i]);
        content.CopyTo(bytes, 4 * header.Length);
        File.WriteAllBytes(System.IO.Path.Combine(Path, name), bytes);
    }
}
