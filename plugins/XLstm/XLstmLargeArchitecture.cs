using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;
using Zoo.XLstm.Model.Large;

namespace Zoo.XLstm;

/// <summary>The large xLSTM: mLSTM blocks with feed-forward parts and soft caps.</summary>
public sealed class XLstmLargeArchitecture : Architecture<XLstmLargeConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("xlstm_large",
        "The large xLSTM: mLSTM with a feed-forward part in each block, gates and logits capped",
        "Beck et al. 2025, xLSTM 7B: A Recurrent LLM for Fast and Efficient Inference, arXiv:2503.13427; parameters of NX-AI/xlstm")
    {
        Kind = ModelKind.TokenModel,
        DefaultPreset = "small",
        Abilities = ModelAbilities.Step | ModelAbilities.Chunk | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["cross_entropy", "head_norm", "mlstm", "rms_norm"],
        Limits =
        [
            "The state is float32 whatever 'inference_state_dtype' says, and any length is taken in every 'mode'.",
            "Queries, keys and gates are computed in float32 in a bfloat16 run.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["tiny"] = XLstmLargeConfig.Sized(32, 4, 2, vocab: 64),
        ["small"] = XLstmLargeConfig.Sized(128, 4, 4, vocab: 256),
        ["7b"] = XLstmLargeConfig.Sized(4096, 8, 32, vocab: 50304),
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => shape.VocabSize is { } vocab ? new() { ["vocab_size"] = vocab } : [];

    /// <summary>The original project's config, or that of a checkpoint for Hugging Face's library, as the published 7B one is.</summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values) =>
        ReadConfig(preset, HuggingFaceConfig.IsOne(values) ? HuggingFaceConfig.Translate(values) : values);

    /// <summary>The original project's names, and those that Hugging Face's library has for the embedding and, without that project, for projections.</summary>
    public override UpstreamTensor? FindUpstream(string name)
    {
        if (name == "backbone.embeddings.weight")
            return new("embedding.weight");
        foreach (var (theirs, ours) in new[] { (".mlstm_layer.query.", ".mlstm_layer.q."), (".mlstm_layer.key.", ".mlstm_layer.k."), (".mlstm_layer.value.", ".mlstm_layer.v.") })
            name = name.Replace(theirs, ours, StringComparison.Ordinal);
        return new(name);
    }

    /// <inheritdoc/>
    protected override Architectures.Model CreateModel(XLstmLargeConfig config, BuildContext context) => new XLstmLargeModel(config, context);
}
