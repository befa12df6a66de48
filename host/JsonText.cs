using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Zoo.Host;

/// <summary>Reads JSON of files that may be anybody's: whatever is wrong with the text shows at once, as one kind of exception.</summary>
/// <remarks>
/// Nodes decode their text when they are first looked at, and throw another exception then for a \u escape that is half a surrogate pair.
/// </remarks>
internal static class JsonText
{
    private const int MaximumDepth = 64;

    /// <inheritdoc cref="Parse(ReadOnlySpan{byte})"/>
    public static JsonNode? Parse(string text) => Parse(Encoding.UTF8.GetBytes(text));

    /// <summary>A value with nothing after it; null for JSON's null.</summary>
    /// <exception cref="JsonException">
    /// The text is not JSON, has a key twice in one object, or text that is not Unicode: <see cref="Words"/> says which.
    /// </exception>
    public static JsonNode? Parse(ReadOnlySpan<byte> utf8)
    {
        Decode(utf8);
        return JsonNode.Parse(utf8, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaximumDepth });
    }

    /// <summary>What is wrong with a text, after "it".</summary>
    public static string Words(JsonException e) => e.InnerException is InvalidOperationException ? "holds text that is not Unicode"
        : e.LineNumber is { } line ? $"is not JSON (line {line + 1})"
        : "has a key twice in one object";

    private static void Decode(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = MaximumDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName)
                    _ = reader.GetString();
            }
        }
        catch (InvalidOperationException e)   // a \u escape that is half a surrogate pair, or bytes that are not UTF-8
        {
            throw new JsonException(e.Message, e);
        }
    }
}
