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
            return reader.GetString() == All ? SlstmPlaces.All : throw new JsonException();   // the type's description says what it must be
        return new SlstmPlaces(JsonSerializer.Deserialize<int[]>(ref reader, options) ?? throw new JsonException());
    }

    public override void Write(Utf8JsonWriter writer, SlstmPlaces value, JsonSerializerOptions options)
    {
        if (value.Blocks is null)
            writer.WriteStringValue(All);
        else
            JsonSerializer.Serialize(writer, value.Blocks, options);
    }
}
