using System.Text.Json;
using System.Text.Json.Serialization;

namespace Zoo.XLstm.Config;

/// <summary>A list of indices, or "all".</summary>
internal sealed class SlstmPlacesConverter : JsonConverter<SlstmPlaces>
{
    private const string All = "all";

    public override SlstmPlaces Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString() == All ? SlstmPlaces.All : throw new JsonException($"'slstm_at' is \"{reader.GetString()}\"; it must be a list of block indices or \"{All}\".");
        return new SlstmPlaces(JsonSerializer.Deserialize<int[]>(ref reader, options)
            ?? throw new JsonException($"'slstm_at' is null; it must be a list of block indices or \"{All}\"."));
    }

    public override void Write(Utf8JsonWriter writer, SlstmPlaces value, JsonSerializerOptions options)
    {
        if (value.Blocks is null)
            writer.WriteStringValue(All);
        else
            JsonSerializer.Serialize(writer, value.Blocks, options);
    }
}
