using Zoo.Architectures;

namespace Zoo.MinRnn;

/// <summary>minLSTM.</summary>
public sealed class MinLstmArchitecture : MinLmArchitecture<MinLstmConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("minlstm", "minLSTM: an LSTM whose gates do not look at the state, normalised",
        "Feng et al. 2024, Were RNNs All We Needed?, arXiv:2410.01201")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["minlstm", "rms_norm", "gelu_mlp", "cross_entropy"],
        Limits =
        [
            "The scan runs in linear space; the paper's runs over logarithms, which in float32 is a thousand times less exact. log_space says whether candidates pass g.",
        ],
    };

    internal override Mixer NewMixer(MinLstmConfig config, BuildContext context) => new MinLstmMixer(config, context);
}
