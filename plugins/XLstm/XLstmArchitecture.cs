using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Configuration;
using Zoo.Tasks;
using Zoo.XLstm.Config;
using Zoo.XLstm.Model;

namespace Zoo.XLstm;

/// <summary>xLSTM: a language model of mLSTM and sLSTM blocks in any ratio.</summary>
public sealed class XLstmArchitecture : Architecture<XLstmConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("xlstm",
        "The extended LSTM: blocks of matrix memory and of scalar memory with recurrent weights",
        "Beck et al. 2024, xLSTM: Extended Long Short-Term Memory, arXiv:2405.04517; parameters of NX-AI/xlstm")
    {
        Kind = ModelKind.TokenModel,
        DefaultPreset = "small",
        Abilities = ModelAbilities.Step | ModelAbilities.Chunk | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["causal_conv1d", "cross_entropy", "head_norm", "layer_norm", "mlstm", "mlstm_inputs", "slstm"],
        Limits =
        [
            "The original's clipping and cutting of recurrent gradients is not here, nor its plain LSTM cell.",
            "A checkpoint of the original's CUDA cell is refused: its recurrent weights and biases lie in another order than those of its plain cell.",
            "Block-diagonal projections, gates and recurrent weights stay in float32 in a bfloat16 run.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["tiny"] = XLstmConfig.Sized(32, 2, new([1]), vocab: 64),
        ["small"] = XLstmConfig.Sized(128, 4, SlstmPlaces.None),
        ["125m"] = XLstmConfig.Sized(768, 24, SlstmPlaces.None, vocab: 50304),
        ["350m"] = XLstmConfig.Sized(1024, 48, SlstmPlaces.None, vocab: 50304),
        ["760m"] = XLstmConfig.Sized(1536, 48, SlstmPlaces.None, vocab: 50304),
        ["1.3b"] = XLstmConfig.Sized(2048, 48, SlstmPlaces.None, vocab: 50304),
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => shape.VocabSize is { } vocab ? new() { ["vocab_size"] = vocab } : [];

    /// <summary>Upstream's config says what blocks there are: one that it does not name is not there.</summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values) => ConfigJson.Bind(new XLstmConfig(), values, Info.Name);

    /// <inheritdoc/>
    protected override Architectures.Model CreateModel(XLstmConfig config, BuildContext context) => new XLstmModel(config, context);
}
