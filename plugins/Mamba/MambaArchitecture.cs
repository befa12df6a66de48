using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Mamba.Model;
using Zoo.Tasks;

namespace Zoo.Mamba;

/// <summary>Mamba: a language model of selective state-space blocks.</summary>
public sealed class MambaArchitecture : Architecture<MambaConfig>
{
    private const string MixerKey = "ssm_cfg";

    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("mamba",
        "The selective state-space language model",
        "Gu and Dao 2023, Mamba: Linear-Time Sequence Modeling with Selective State Spaces, arXiv:2312.00752; parameters of state-spaces/mamba")
    {
        Kind = ModelKind.TokenModel,
        DefaultPreset = "small",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops =
        [
            "causal_conv1d", "cross_entropy", "layer_norm", "mamba_step", "matrix_vector", "rms_norm", "selective_scan_tokens",
        ],
        Limits =
        [
            "Blocks of the first Mamba only: no Mamba-2, no attention blocks and no feed-forward parts of hybrid models.",
            "The residual stream is float32 whatever 'residual_in_fp32' says.",
            "Gradients do not flow through the step form; under gradients a step is a sequence of one token.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["tiny"] = MambaConfig.Sized(32, 2, vocab: 64),
        ["small"] = MambaConfig.Sized(128, 4, vocab: 256),
        ["130m"] = MambaConfig.Sized(768, 24),
        ["370m"] = MambaConfig.Sized(1024, 48),
        ["790m"] = MambaConfig.Sized(1536, 48),
        ["1.4b"] = MambaConfig.Sized(2048, 48),
        ["2.8b"] = MambaConfig.Sized(2560, 64),
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => shape.VocabSize is { } vocab ? new() { ["vocab_size"] = vocab } : [];

    /// <summary>The original's config, or that of a "-hf" checkpoint, which has other keys.</summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values) =>
        ReadConfig(preset, HuggingFaceConfig.IsOne(values) ? HuggingFaceConfig.Translate(values) : WithoutNulls(values));

    /// <summary>Without our own key where it changes nothing: the original's mixer refuses what it does not know.</summary>
    public override JsonObject WriteUpstreamConfig(ModelConfig config)
    {
        var written = base.WriteUpstreamConfig(config);
        if (config is MambaConfig { Mixer.Selective: true })
            written[MixerKey]!.AsObject().Remove(MixerConfig.SelectiveKey);
        return written;
    }

    /// <summary>
    /// The original's names; those of "-hf" checkpoints, which say "embeddings"; and those of mamba-minimal, which leave out "backbone.".
    /// </summary>
    public override UpstreamTensor? FindUpstream(string name)
    {
        if (name.StartsWith("embedding.", StringComparison.Ordinal) || name.StartsWith("layers.", StringComparison.Ordinal) ||
            name.StartsWith("norm_f.", StringComparison.Ordinal))
            name = "backbone." + name;
        return new(name == "backbone.embeddings.weight" ? "backbone.embedding.weight" : name);
    }

    /// <summary>Null stands for nothing in the original's nested options and lists.</summary>
    private static JsonObject WithoutNulls(JsonObject values) => new(values
        .Where(v => v.Value is not null || v.Key is not (MixerKey or "attn_layer_idx"))
        .Select(v => KeyValuePair.Create(v.Key, v.Value?.DeepClone())));

    /// <inheritdoc/>
    protected override Architectures.Model CreateModel(MambaConfig config, BuildContext context) => new MambaModel(config, context);
}
