using Zoo.Architectures;

namespace Zoo.Faulty;

/// <summary>Three things wrong with what it says of itself.</summary>
public sealed class BadDescriptionArchitecture() : TinyArchitecture("bad-description")
{
    public override ArchitectureInfo Info { get; } = new("bad-description", "Logistic regression", "A test's own")
    {
        Kind = ModelKind.ImageClassifier,
        DefaultPreset = "paper",
        Aliases = [new("../bad", "tiny")],
    };

    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
        new Dictionary<string, ModelConfig> { ["tiny"] = new TinyConfig { ClassCount = 1 } };
}
