using System.Text;
using System.Text.Json.Nodes;

namespace Zoo.Tasks;

/// <summary>The bytes of UTF-8 as ids: 256 of them, for every text and file there is.</summary>
public sealed class ByteEncoding : TextEncoding
{
    internal const string Kind = "bytes";
    private static readonly byte[] All = [.. Enumerable.Range(0, 256).Select(b => (byte)b)];

    private ByteEncoding()
    {
    }

    /// <summary>The only one.</summary>
    public static ByteEncoding Instance { get; } = new();

    /// <inheritdoc/>
    public override int VocabSize => All.Length;

    /// <inheritdoc/>
    public override string Unit => "byte";

    /// <inheritdoc/>
    public override long[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text).Select(b => (long)b)];

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Utf8(long id) => All.AsSpan(Check(id), 1);

    /// <inheritdoc/>
    public override JsonObject ToJson() => new() { [KindKey] = Kind };
}
