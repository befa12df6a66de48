using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorchSharp;
using Zoo.Native;

namespace Zoo.Files;

/// <summary>Writes safetensors files. Equal input gives equal bytes.</summary>
public static class SafeTensorsWriter
{
    private const int Alignment = 64;   // of the data in the file, and so of the first tensor when it is mapped
    private const int ChunkBytes = 1 << 26;

    /// <summary>Writes tensors to a file, which appears whole or not at all.</summary>
    /// <param name="path">The file; an older one is replaced.</param>
    /// <param name="tensors">
    /// Named in the header in this order. Their data follow by element size, largest first, so that all are aligned.
    /// </param>
    /// <param name="metadata">Free text by key, sorted by key in the file.</param>
    /// <param name="cancellation">Asked between parts of the data.</param>
    /// <exception cref="ArgumentException">A tensor's dtype has no place in the format, or its name is reserved.</exception>
    /// <exception cref="IOException">As <see cref="AtomicFile.Write(string, Action{Stream})"/>.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; an older file is still as it was.</exception>
    public static void Write(
        string path, NamedTensors tensors, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellation = default)
    {
        var header = Header(tensors, metadata);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var (_, tensor) in InDataOrder(tensors))
                WriteData(stream, tensor, ChunkBytes, cancellation);
        });
    }

    /// <summary>Writes a tensor's elements in row-major order, from native memory in chunks.</summary>
    internal static unsafe void WriteData(Stream stream, torch.Tensor tensor, int chunkBytes, CancellationToken cancellation = default)
    {
        using var scope = torch.NewDisposeScope();
        var here = tensor.detach().cpu().contiguous();
        var byteCount = ByteCount(here);
        var data = (byte*)TensorMemory.Pointer(here);
        for (var done = 0L; done < byteCount; done += chunkBytes)
        {
            cancellation.ThrowIfCancellationRequested();
            stream.Write(new ReadOnlySpan<byte>(data + done, (int)Math.Min(byteCount - done, chunkBytes)));
        }
        GC.KeepAlive(here);
    }

    private static IEnumerable<KeyValuePair<string, torch.Tensor>> InDataOrder(NamedTensors tensors) =>
        tensors.OrderByDescending(t => SafeTensorsDtypes.Size(t.Value.dtype));   // stable

    private static long ByteCount(torch.Tensor tensor) => tensor.numel() * SafeTensorsDtypes.Size(tensor.dtype);

    private static byte[] Header(NamedTensors tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        foreach (var (name, tensor) in tensors)
        {
            if (name == SafeTensorsHeader.MetadataKey)
                throw new ArgumentException($"A tensor cannot be named '{name}' in a safetensors file.", nameof(tensors));
            if (SafeTensorsDtypes.Name(tensor.dtype) is null)
            {
                throw new ArgumentException(
                    $"The tensor '{name}' is {tensor.dtype}, and a safetensors file holds {SafeTensorsDtypes.Names}.", nameof(tensors));
            }
        }
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        var end = 0L;
        foreach (var (name, tensor) in InDataOrder(tensors))
        {
            offsets.Add(name, end);
            end += ByteCount(tensor);
        }

        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[sizeof(long)]);
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            WriteJson(json, tensors, offsets, metadata);
        while (buffer.Length % Alignment != 0)
            buffer.WriteByte((byte)' ');
        var header = buffer.ToArray();
        var headerBytes = header.Length - sizeof(long);
        if (headerBytes > SafeTensorsHeader.MaximumBytes)
        {
            throw new ArgumentException(
                $"Names and metadata take {headerBytes} bytes; a safetensors header holds {SafeTensorsHeader.MaximumBytes}.", nameof(tensors));
        }
        BinaryPrimitives.WriteInt64LittleEndian(header, headerBytes);
        return header;
    }

    private static void WriteJson(
        Utf8JsonWriter json, NamedTensors tensors, Dictionary<string, long> offsets, IReadOnlyDictionary<string, string>? metadata)
    {
        json.WriteStartObject();
        if (metadata is { Count: > 0 })
        {
            json.WriteStartObject(SafeTensorsHeader.MetadataKey);
            foreach (var (key, text) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
                json.WriteString(key, text);
            json.WriteEndObject();
        }
        foreach (var (name, tensor) in tensors)
        {
            json.WriteStartObject(name);
            json.WriteString("dtype", SafeTensorsDtypes.Name(tensor.dtype));
            json.WriteStartArray("shape");
            foreach (var size in tensor.shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offsets[name]);
            json.WriteNumberValue(offsets[name] + ByteCount(tensor));
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }
}
