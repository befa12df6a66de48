using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Zoo.Host.Reports;

namespace Zoo.Tests.Reports;

internal sealed class PngTests
{
    [TestCase(1, 1)]
    [TestCase(2, 3)]
    [TestCase(28, 28)]
    [TestCase(1, 1000)]
    public void Encode_AnySize_DecodesToTheSamePixels(int height, int width)
    {
        var pixels = new byte[height * width];
        new Random(1).NextBytes(pixels);
        var (size, decoded) = Decode(Png.Encode(height, width, pixels));
        Assert.That(size, Is.EqualTo((height, width)));
        Assert.That(decoded, Is.EqualTo(pixels));
    }

    [Test]
    public void Encode_EmptyEndChunk_IsTheOneThatEveryPngHas() =>
        Assert.That(Png.Encode(1, 1, [0])[^12..], Is.EqualTo(new byte[] { 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82 }));

    private static ((int Height, int Width) Size, byte[] Pixels) Decode(byte[] png)
    {
        Assert.That(png[..8], Is.EqualTo(new byte[] { 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a }));
        var (size, data) = ((Height: 0, Width: 0), new MemoryStream());
        for (var at = 8; at < png.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            var content = png.AsSpan(at + 8, length);
            switch (Encoding.ASCII.GetString(png, at + 4, 4))
            {
                case "IHDR":
                    size = (BinaryPrimitives.ReadInt32BigEndian(content[4..]), BinaryPrimitives.ReadInt32BigEndian(content));
                    Assert.That(content[8..].ToArray(), Is.EqualTo(new byte[] { 8, 0, 0, 0, 0 }), "eight bits, grey");
                    break;
                case "IDAT":
                    data.Write(content);
                    break;
                default:
                    break;
            }
            at += length + 12;
        }
        data.Position = 0;
        using var raw = new MemoryStream();
        using (var zlib = new ZLibStream(data, CompressionMode.Decompress))
            zlib.CopyTo(raw);
        var rows = raw.ToArray().Chunk(size.Width + 1).ToList();
        Assert.That(rows.Select(r => r[0]), Is.All.Zero);
        return (size, [.. rows.SelectMany(r => r[1..])]);
    }
}
