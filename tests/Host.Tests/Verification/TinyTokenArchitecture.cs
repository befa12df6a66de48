using Zoo.Architectures;

namespace Zoo.Tests.Verification;

/// <summary>A linear recurrence over embedded tokens that is right, or wrong in one planted way.</summary>
internal sealed class TinyTokenArchitecture(TokenFault fault) : Architecture<TinyImageConfig>
{
    public override ArchitectureInfo Info { get; } = new("tiny-token", "h = a h + x", "None")
    {
        Kind = ModelKind.TokenModel,
        Abilities = ModelAbilities.Causal | ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.BFloat16,
    };

    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } =
        new Dictionary<string, ModelConfig> { ["default"] = new TinyImageConfig() };

    protected override Model CreateModel(TinyImageConfig config, BuildContext context) => new TinyTokenModel(config, context, fault);
}
