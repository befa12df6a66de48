using System.Text.Json;
using System.Text.Unicode;

namespace Zoo.Files;

/// <summary>The JSON header of a safetensors file, checked so that every tensor lies in the file and every byte in one tensor.</summary>
internal sealed class SafeTensorsHeader
{
    /// <summary>The longest header that is read; the format's own limit.</summary>
    public const long MaximumBytes = 100_000_000;

    /// <summary>Where the header's text stands in for a tensor's name.</summary>
    public const string MetadataKey = "__metadata__";

    private const int MaximumAxes = 64;   // torch has no more

    private readonly long _dataStart;
    private readonly long _dataBytes;
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly OrderedDictionary<string, SafeTensorInfo> _tensors = new(StringComparer.Ordinal);

    private SafeTensorsHeader(long dataStart, long dataBytes)
    {
        _dataStart = dataStart;
        _dataBytes = dataBytes;
    }

    /// <summary>Text by key.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>Tensors by name, in the header's order.</summary>
    public OrderedDictionary<string, SafeTensorInfo> Tensors => _tensors;

    /// <summary>Reads and checks a header.</summary>
    /// <param name="json">Its bytes, without the length before them.</param>
    /// <param name="dataStart">Where the data begin in the file.</param>
    /// <param name="dataBytes">How many bytes of data there are.</param>
    /// <exception cref="FormatException">What is wrong, as the end of a sentence.</exception>
    public static SafeTensorsHeader Parse(ReadOnlyMemory<byte> json, long dataStart, long dataBytes)
    {
        if (!Utf8.IsValid(json.Span))
            throw new FormatException("its header is not UTF-8 text");
        if (json.Span[0] != (byte)'{')
            throw new FormatException("its header does not begin with '{'");
        var header = new SafeTensorsHeader(dataStart, dataBytes);
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 });
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (entry.NameEquals(MetadataKey))
                    header.ReadMetadata(entry.Value);
                else
                    header.ReadTensor(entry.Name, entry.Value);
            }
        }
        catch (JsonException e)
        {
            throw new FormatException($"its header is not JSON (near byte {sizeof(long) + e.BytePositionInLine} of the file)", e);
        }
        catch (InvalidOperationException e)   // a \u escape that is half a surrogate pair
        {
            throw new FormatException("its header holds text that is not Unicode", e);
        }
        header.RequireFullCover();
        return header;
    }

    /// <summary>Text from a file, fit for a message.</summary>
    public static string Quote(string text)
    {
        const int most = 120;
        var clean = string.Concat((text.Length > most ? text[..most] + "…" : text).Select(c => char.IsControl(c) ? '�' : c));
        return $"'{clean}'";
    }

    private void ReadMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw new FormatException($"its {MetadataKey} is {Kind(value)}, not an object");
        foreach (var entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw new FormatException($"its {MetadataKey} entry {Quote(entry.Name)} is {Kind(entry.Value)}, not text");
            if (!_metadata.TryAdd(entry.Name, entry.Value.GetString()!))
                throw new FormatException($"its {MetadataKey} has two entries {Quote(entry.Name)}");
        }
    }

    private void ReadTensor(string name, JsonElement value)
    {
        var tensor = $"tensor {Quote(name)}";
        if (_tensors.ContainsKey(name))
            throw new FormatException($"it has two tensors named {Quote(name)}");
        if (value.ValueKind != JsonValueKind.Object)
            throw new FormatException($"{tensor} is {Kind(value)}, not an object");
        if (value.EnumerateObject().CountBy(p => p.Name).FirstOrDefault(c => c.Value > 1) is { Key: { } twice })
            throw new FormatException($"{tensor} has two entries {Quote(twice)}");

        var dtypeName = Entry(value, tensor, "dtype", JsonValueKind.String).GetString()!;
        var shape = Numbers(Entry(value, tensor, "shape", JsonValueKind.Array), tensor, "shape");
        var offsets = Numbers(Entry(value, tensor, "data_offsets", JsonValueKind.Array), tensor, "data_offsets");

        if (SafeTensorsDtypes.Parse(dtypeName) is not { } dtype)
            throw new FormatException($"{tensor} has the dtype {Quote(dtypeName)}, and Zoo reads {SafeTensorsDtypes.Names}");
        if (shape.Length > MaximumAxes)
            throw new FormatException($"the shape of {tensor} has {shape.Length} axes; at most {MaximumAxes} are possible");
        if (offsets.Length != 2)
            throw new FormatException($"the data_offsets of {tensor} hold {offsets.Length} numbers instead of 2");
        var (begin, end) = (offsets[0], offsets[1]);
        if (begin > end)
            throw new FormatException($"{tensor} ends at byte {end} of the data, before it begins at {begin}");
        if (end > _dataBytes)
        {
            throw new FormatException(
                $"{tensor} ends at byte {end} of the data, but the file has only {_dataBytes} bytes of them; it was cut short");
        }
        if (ByteCount(shape, SafeTensorsDtypes.Size(dtype)) is not { } byteCount)
            throw new FormatException($"the shape {Shape.Describe(shape)} of {tensor} is larger than any file");
        if (byteCount != end - begin)
        {
            throw new FormatException(
                $"{tensor} is {dtypeName} {Shape.Describe(shape)}, which takes {byteCount} bytes, but its data_offsets span {end - begin}");
        }
        _tensors.Add(name, new SafeTensorInfo(name, dtype, shape, _dataStart + begin, byteCount));
    }

    private static JsonElement Entry(JsonElement value, string tensor, string key, JsonValueKind kind)
    {
        if (!value.TryGetProperty(key, out var entry))
            throw new FormatException($"{tensor} has no {key}");
        if (entry.ValueKind != kind)
            throw new FormatException($"the {key} of {tensor} is {Kind(entry)}, not {(kind == JsonValueKind.String ? "text" : "a list")}");
        return entry;
    }

    private static long[] Numbers(JsonElement list, string tensor, string key)
    {
        var numbers = new long[list.GetArrayLength()];
        var i = 0;
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out var number) || number < 0)
            {
                throw new FormatException(
                    $"the {key} of {tensor} holds {Quote(item.GetRawText())}, which is no whole number from 0 to {long.MaxValue}");
            }
            numbers[i++] = number;
        }
        return numbers;
    }

    /// <summary>
    /// Bytes of a tensor; null where the sizes other than 0 multiply to more than a file can hold, as torch's strides do too.
    /// </summary>
    private static long? ByteCount(ReadOnlySpan<long> shape, int elementSize)
    {
        Int128 product = elementSize;
        var empty = false;
        foreach (var size in shape)
        {
            empty |= size == 0;
            product *= Math.Max(size, 1);
            if (product > long.MaxValue)
                return null;
        }
        return empty ? 0 : (long)product;
    }

    /// <summary>The format allows neither holes nor overlaps: nothing can hide in a file, and no byte means two things.</summary>
    private void RequireFullCover()
    {
        var covered = 0L;
        SafeTensorInfo? before = null;
        foreach (var tensor in _tensors.Values.OrderBy(t => t.Offset).ThenBy(t => t.ByteCount))
        {
            var begin = tensor.Offset - _dataStart;
            if (begin < covered)
                throw new FormatException($"tensors {Quote(before!.Name)} and {Quote(tensor.Name)} overlap at byte {begin} of the data");
            if (begin > covered)
                throw new FormatException($"{begin - covered} bytes of the data before tensor {Quote(tensor.Name)} belong to no tensor");
            covered += tensor.ByteCount;
            before = tensor;
        }
        if (covered < _dataBytes)
            throw new FormatException($"the last {_dataBytes - covered} bytes of the data belong to no tensor");
    }

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
