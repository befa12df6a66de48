using System.Globalization;
using System.Text.Json.Nodes;
using Zoo.Files;

namespace Zoo.Tests;

/// <summary>A recorded case of a plugin in this repository. Owns its tensors.</summary>
internal sealed class GoldenCase : IDisposable
{
    private readonly NamedTensors _tensors;
    private readonly IReadOnlyDictionary<string, string> _metadata;

    private GoldenCase(NamedTensors tensors, IReadOnlyDictionary<string, string> metadata) => (_tensors, _metadata) = (tensors, metadata);

    public string Name => _metadata["name"];

    public JsonObject Config => JsonNode.Parse(_metadata["config"])!.AsObject();

    public double AbsoluteTolerance => double.Parse(_metadata["atol"], CultureInfo.InvariantCulture);

    public double RelativeTolerance => double.Parse(_metadata["rtol"], CultureInfo.InvariantCulture);

    /// <summary>The tensors whose names begin so, without the prefix.</summary>
    public NamedTensors With(string prefix) =>
        new(_tensors
            .Where(t => t.Key.StartsWith(prefix, StringComparison.Ordinal))
            .Select(t => KeyValuePair.Create(t.Key[prefix.Length..], t.Value)));

    public static GoldenCase Open(string plugin, string name) =>
        Open(Path.Combine(Repository.Root, "plugins", plugin, "golden", $"{name}.safetensors"));

    public static GoldenCase Open(string path)
    {
        using var file = SafeTensorsFile.Open(path);
        return new GoldenCase(file.LoadAll(), file.Metadata);
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values)
            tensor.Dispose();
    }
}
