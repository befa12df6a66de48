using Zoo.Architectures;

namespace Zoo.MinRnn;

/// <summary>LSTM, to compare with.</summary>
public sealed class LstmArchitecture : MinLmArchitecture<LstmConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("lstm", "LSTM in the blocks of a minGRU, by libtorch or by a loop over time",
        "Hochreiter and Schmidhuber 1997, Long Short-Term Memory")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal,
        Ops = ["rms_norm", "cross_entropy"],
        Limits = ["It is here to be compared with: no kernel of its own, float32 only."],
    };

    internal override Mixer NewMixer(LstmConfig config, BuildContext context) => new GatedRnnMixer(config, context);
}
