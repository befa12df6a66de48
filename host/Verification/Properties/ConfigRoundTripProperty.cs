using System.Text.Json.Nodes;
using Zoo.Configuration;

namespace Zoo.Host.Verification.Properties;

/// <summary>A config written as JSON and read back is the same config, whichever preset it is read over.</summary>
internal sealed class ConfigRoundTripProperty : IModelProperty
{
    public string Name => "config-round-trip";

    public bool NeedsStorage => false;

    public PropertyOutcome Check(ModelSubject subject)
    {
        var written = ConfigJson.Write(subject.Config);
        foreach (var preset in subject.Architecture.Presets.Keys)
        {
            var read = subject.Architecture.ReadConfig(preset, (JsonObject)JsonNode.Parse(written.ToJsonString())!);
            var again = ConfigJson.Write(read);
            if (JsonNode.DeepEquals(written, again))
                continue;
            var keys = ConfigJson.Flatten(subject.Config).Where(w => !SameAt(again, w)).Select(w => w.Key).ToList();
            return PropertyOutcome.Fails(
                $"Written as JSON and read back over the preset '{preset}', {(keys.Count == 0 ? "the config" : Words.List(keys))} has another value.");
        }
        return PropertyOutcome.Holds;
    }

    private static bool SameAt(JsonObject values, KeyValuePair<string, JsonNode?> wanted)
    {
        JsonNode? node = values;
        foreach (var key in wanted.Key.Split('.'))
            node = (node as JsonObject)?[key];
        return JsonNode.DeepEquals(node, wanted.Value);
    }
}
