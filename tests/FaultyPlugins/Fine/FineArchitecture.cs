using Zoo.Architectures;

namespace Zoo.Faulty;

/// <summary>Works, with an alias and two presets.</summary>
public sealed class FineArchitecture() : TinyArchitecture("fine")
{
    public override ArchitectureInfo Info { get; } = new("fine", "Logistic regression", "A test's own")
    {
        Kind = ModelKind.ImageClassifier,
        Aliases = [new("fine-small", "small")],
    };

    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new TinyConfig(),
        ["small"] = new TinyConfig { ImageSize = 8 },
    };
}
