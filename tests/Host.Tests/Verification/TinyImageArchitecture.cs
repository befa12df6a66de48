using System.Text.Json.Nodes;
using Zoo.Architectures;

namespace Zoo.Tests.Verification;

/// <summary>A classifier of 4 x 4 images that is right, or wrong in one planted way.</summary>
internal sealed class TinyImageArchitecture(Fault fault, IReadOnlyList<string>? ops = null) : Architecture<TinyImageConfig>
{
    public override ArchitectureInfo Info { get; } = new("tiny-image", "Two layers", "None") { Kind = ModelKind.ImageClassifier, Ops = ops ?? [] };

    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
        new Dictionary<string, ModelConfig> { ["default"] = new TinyImageConfig(), ["wide"] = new TinyImageConfig { HiddenDim = 9 } };

    public override ModelConfig ReadConfig(string preset, JsonObject values)
    {
        switch (fault)
        {
            case Fault.IgnoresUnknownKeys:
                values = new JsonObject(values.Where(v => v.Key == "hidden_size").Select(v => KeyValuePair.Create(v.Key, v.Value?.DeepClone())));
                break;
            case Fault.ForgetsConfig:
                values.Remove("hidden_size");
                break;
        }
        return base.ReadConfig(preset, values);
    }

    /// <summary>Another project's names begin with "theirs." and its matrices are [in, out].</summary>
    public override UpstreamTensor? FindUpstream(string name)
    {
        const string theirs = "theirs.";
        return name.StartsWith(theirs, StringComparison.Ordinal)
            ? new(name[theirs.Length..]) { Transposed = name.EndsWith(".weight", StringComparison.Ordinal) }
            : new(name);
    }

    protected override Model CreateModel(TinyImageConfig config, BuildContext context) => new TinyImageModel(config, fault);
}
