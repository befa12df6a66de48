using Zoo.Architectures;

namespace Zoo.MinRnn;

/// <summary>minGRU.</summary>
public sealed class MinGruArchitecture : MinLmArchitecture<MinGruConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("mingru", "minGRU: a GRU whose gate does not look at the state",
        "Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["mingru", "rms_norm", "gelu_mlp", "cross_entropy"],
        Limits =
        [
            "The scan runs in linear space; the paper's runs over logarithms, which in float32 is a thousand times less exact. log_space says whether candidates pass g.",
        ],
    };

    internal override Mixer NewMixer(MinGruConfig config, BuildContext context) => new MinGruMixer(config, context);
}
