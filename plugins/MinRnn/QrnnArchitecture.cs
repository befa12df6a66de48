using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.MinRnn;

/// <summary>QRNN.</summary>
public sealed class QrnnArchitecture : Architecture<QrnnConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("qrnn", "QRNN: convolutions of width 1 or 2 and a pooling that mixes over time",
        "Bradbury et al. 2017, Quasi-Recurrent Neural Networks, arXiv:1611.01576")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["qrnn_fo_pool", "forget_mult", "cross_entropy"],
        Limits =
        [
            "f multiplies the new value, as in the original project; in the paper it multiplies the old state.",
            "Windows of 1 and 2, as in the original project; no ifo-pooling.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new QrnnConfig(),
        ["tiny"] = new QrnnConfig { VocabSize = 32, InputDim = 12, HiddenDim = 16, LayerCount = 2, Window = 2, Dropout = 0.1, Zoneout = 0.1 },
        ["f-pool"] = new QrnnConfig { VocabSize = 32, InputDim = 16, HiddenDim = 16, LayerCount = 2, OutputGate = false },
        ["vectors"] = new QrnnConfig { VocabSize = null, ClassCount = 10, InputDim = 1, HiddenDim = 64, LayerCount = 2, Window = 2 },
    };

    /// <summary>Without a vocabulary it is the bare stack, as the original project has it; of one layer unless it says more.</summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values)
    {
        var complete = (JsonObject)values.DeepClone();
        complete.TryAdd(Forms.VocabKey, null);
        complete.TryAdd("num_layers", 1);
        return ReadConfig(preset, complete);
    }

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => shape.Kind == ModelKind.TokenModel
        ? new JsonObject { [Forms.VocabKey] = shape.VocabSize, ["num_classes"] = null }
        : new JsonObject { [Forms.VocabKey] = null, ["input_size"] = shape.InputDim, ["num_classes"] = shape.ClassCount };

    /// <inheritdoc/>
    protected override Model CreateModel(QrnnConfig config, BuildContext context) => config.VocabSize is null
        ? new QrnnClassifier(config, context)
        : new QrnnModel(config, context);
}
