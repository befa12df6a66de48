using System.Text.Json;
using System.Text.Json.Nodes;

namespace Zoo.Host.Cli;

/// <summary>How values of configs and options are shown.</summary>
internal static class ConfigTable
{
    /// <summary>A value as a user would type it.</summary>
    public static string Literal(JsonNode? value) => value switch
    {
        null => "null",
        JsonArray list => "[" + string.Join(", ", list.Select(Literal)) + "]",
        JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
        _ => value.ToJsonString(),
    };
}
