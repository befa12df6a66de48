using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.MinRnn;

/// <summary>What minGRU, minLSTM, GRU and LSTM have in common: the blocks around the recurrence.</summary>
/// <typeparam name="TConfig">The config.</typeparam>
public abstract class MinLmArchitecture<TConfig> : Architecture<TConfig>
    where TConfig : MinLmConfig, new()
{
    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new TConfig(),
        ["tiny"] = new TConfig { VocabSize = 32, ModelDim = 16, LayerCount = 2, FeedForwardFactor = 2, EnableConv = true, Dropout = 0.1 },
        ["shakespeare"] = new TConfig
        {
            VocabSize = 65,
            ModelDim = 384,
            LayerCount = 3,
            Expansion = 2,
            EnableConv = true,
            ConvWidth = 4,
            Dropout = 0.2,
        },
        ["selective-copy"] = new TConfig { VocabSize = 16, ModelDim = 64, LayerCount = 3, Expansion = 6, FeedForwardFactor = 0, Dropout = 0.1 },
        ["vectors"] = new TConfig { VocabSize = null, InputDim = 1, ClassCount = 10, ModelDim = 64, LayerCount = 2 },
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => Forms.ImpliedBy(shape, "input_dim", "num_classes");

    /// <summary>The recurrence of a block.</summary>
    internal abstract Mixer NewMixer(TConfig config, BuildContext context);

    /// <inheritdoc/>
    protected override Model CreateModel(TConfig config, BuildContext context) => config.VocabSize is null
        ? new MinLmClassifier(Info.Name, config, () => NewMixer(config, context), context)
        : new MinLmModel(Info.Name, config, () => NewMixer(config, context), context);
}
