using System.Text.Json.Nodes;

namespace Zoo.Host;

/// <summary>Values of the records that programs read.</summary>
internal static class RecordValues
{
    /// <summary>A list of texts.</summary>
    public static JsonArray List(IEnumerable<string> texts) => new([.. texts.Select(t => JsonValue.Create(t))]);

    /// <summary>Texts by name, such as the backend that each op ran on.</summary>
    public static JsonObject Map(IEnumerable<KeyValuePair<string, string>> texts) =>
        new(texts.Select(t => KeyValuePair.Create<string, JsonNode?>(t.Key, t.Value)));
}
