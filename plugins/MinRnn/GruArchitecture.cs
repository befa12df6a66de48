using Zoo.Architectures;

namespace Zoo.MinRnn;

/// <summary>GRU, to compare with.</summary>
public sealed class GruArchitecture : MinLmArchitecture<GruConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("gru", "GRU in the blocks of a minGRU, by libtorch or by a loop over time",
        "Cho et al. 2014, arXiv:1406.1078")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal,
        Ops = ["rms_norm", "cross_entropy"],
        Limits = ["It is here to be compared with: no kernel of its own, float32 only."],
    };

    internal override Mixer NewMixer(GruConfig config, BuildContext context) => new GatedRnnMixer(config, context);
}
