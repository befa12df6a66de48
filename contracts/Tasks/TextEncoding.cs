using System.Text;
using System.Text.Json.Nodes;
using Zoo.Files;

namespace Zoo.Tasks;

/// <summary>Text as token ids and back: what the ids of a language model mean. A run keeps it, so that generating needs no data.</summary>
public abstract class TextEncoding
{
    private protected const string KindKey = "encoding";

    private protected TextEncoding()
    {
    }

    /// <summary>How many ids there are.</summary>
    public abstract int VocabSize { get; }

    /// <summary>What one token is, as metrics name it: "char", "byte".</summary>
    public abstract string Unit { get; }

    /// <summary>The ids of a text.</summary>
    /// <exception cref="UserException">The text has a character that the encoding lacks; the message names it and where it stands.</exception>
    public abstract long[] Encode(string text);

    /// <summary>The UTF-8 bytes that an id stands for. A character may take several ids, so decode a stream with a <see cref="Decoder"/>.</summary>
    /// <param name="id">From 0 to <see cref="VocabSize"/> - 1.</param>
    public abstract ReadOnlySpan<byte> Utf8(long id);

    /// <summary>The text of ids; what is no UTF-8 becomes U+FFFD.</summary>
    /// <param name="ids">Each from 0 to <see cref="VocabSize"/> - 1.</param>
    public string Decode(ReadOnlySpan<long> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids)
            bytes.AddRange(Utf8(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>What <see cref="FromJson"/> reads.</summary>
    public abstract JsonObject ToJson();

    /// <summary>Reads an encoding that a run kept.</summary>
    /// <param name="json">As <see cref="ToJson"/> gives it.</param>
    /// <param name="path">Where it comes from, for messages.</param>
    /// <exception cref="BadFileException">It is no encoding.</exception>
    public static TextEncoding FromJson(JsonObject json, string path)
    {
        var kind = json[KindKey] is JsonValue value && value.TryGetValue(out string? name) ? name : null;
        return kind switch
        {
            CharacterEncoding.Kind => CharacterEncoding.Read(json, path),
            ByteEncoding.Kind => ByteEncoding.Instance,
            _ => throw new BadFileException($"'{path}': '{KindKey}' is {json[KindKey]?.ToJsonString() ?? "missing"}; it must be " +
                $"\"{CharacterEncoding.Kind}\" or \"{ByteEncoding.Kind}\"."),
        };
    }

    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    private protected int Check(long id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabSize);
        return (int)id;
    }
}
