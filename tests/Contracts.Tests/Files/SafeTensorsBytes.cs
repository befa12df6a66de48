using System.Buffers.Binary;
using System.Text;

namespace Zoo.Tests.Files;

/// <summary>Builds safetensors files byte by byte, well-formed or not.</summary>
internal static class SafeTensorsBytes
{
    /// <summary>A file with this header and so many zero bytes of data.</summary>
    public static byte[] With(string header, int dataBytes = 0) => With(Encoding.UTF8.GetBytes(header), new byte[dataBytes]);

    /// <summary>A file with this header and these data.</summary>
    public static byte[] With(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        var file = new byte[sizeof(ulong) + header.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)header.Length);
        header.CopyTo(file.AsSpan(sizeof(ulong)));
        data.CopyTo(file.AsSpan(sizeof(ulong) + header.Length));
        return file;
    }

    /// <summary>A file that announces a header of another length than it has.</summary>
    public static byte[] Announcing(ulong headerBytes, string header)
    {
        var file = With(header);
        BinaryPrimitives.WriteUInt64LittleEndian(file, headerBytes);
        return file;
    }
}
