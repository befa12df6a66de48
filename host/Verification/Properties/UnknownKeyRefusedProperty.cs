using System.Text.Json.Nodes;
using Zoo.Configuration;

namespace Zoo.Host.Verification.Properties;

/// <summary>A config key that does not exist is an error that names it, also inside nested options.</summary>
internal sealed class UnknownKeyRefusedProperty : IModelProperty
{
    private const string Unknown = "zz_no_such_key";

    public string Name => "unknown-key-refused";

    public bool NeedsStorage => false;

    public PropertyOutcome Check(ModelSubject subject)
    {
        var paths = ConfigJson.Write(subject.Config).Where(p => p.Value is JsonObject).Select(p => $"{p.Key}.{Unknown}").Prepend(Unknown);
        foreach (var path in paths)
        {
            var values = new JsonObject();
            ConfigJson.Set(values, path, 1);
            try
            {
                subject.Architecture.ReadConfig(subject.Preset, values);
                return PropertyOutcome.Fails($"The config key '{path}' does not exist, and nothing was said.");
            }
            catch (ConfigException e) when (e.Message.Contains(Unknown, StringComparison.Ordinal))
            {
            }
            catch (ConfigException e)
            {
                return PropertyOutcome.Fails($"The config key '{path}' does not exist, and the error does not name it: {e.Message}");
            }
        }
        return PropertyOutcome.Holds;
    }
}
