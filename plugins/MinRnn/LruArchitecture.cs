using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.Tasks;

namespace Zoo.MinRnn;

/// <summary>LRU.</summary>
public sealed class LruArchitecture : Architecture<LruConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("lru", "LRU: linear recurrences with complex diagonal matrices on a ring",
        "Orvieto et al. 2023, Resurrecting Recurrent Neural Networks for Long Sequences, arXiv:2303.06349")
    {
        Kind = ModelKind.TokenModel,
        OtherKinds = [ModelKind.VectorSequence],
        DefaultTask = "char-lm",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.BFloat16,
        Ops = ["lru", "lru_scan", "layer_norm"],
        Limits =
        [
            "y = Re(C h) + D u without the factor 2 for conjugate pairs, as in minimal-LRU.",
            "One direction; the paper's Pathfinder models are bidirectional.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["default"] = new LruConfig(),
        ["tiny"] = new LruConfig { VocabSize = 32, ModelDim = 12, StateDim = 8, LayerCount = 2, Dropout = 0.1 },
        ["dense"] = new LruConfig { VocabSize = 32, ModelDim = 12, StateDim = 8, LayerCount = 2, Recurrence = LruRecurrence.DenseReal, PreNorm = false },
        ["listops"] = new LruConfig
        {
            VocabSize = 32,
            ModelDim = 128,
            StateDim = 256,
            LayerCount = 6,
            MinRadius = 0,
            MaxRadius = 0.99,
            RateFactor = 0.5,
        },
        ["vectors"] = new LruConfig { VocabSize = null, InputDim = 1, OutputDim = 10, ModelDim = 64, StateDim = 64, LayerCount = 2 },
    };

    /// <summary>Without a vocabulary it is a classifier with the original project's defaults.</summary>
    public override ModelConfig ReadUpstreamConfig(string preset, JsonObject values)
    {
        var complete = (JsonObject)values.DeepClone();
        complete.TryAdd(Forms.VocabKey, null);
        foreach (var (key, value) in new (string, JsonNode)[] { ("r_min", 0.0), ("r_max", 1.0), ("norm", "batch"), ("prenorm", false) })
            complete.TryAdd(key, value);
        return ReadConfig(preset, complete);
    }

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => Forms.ImpliedBy(shape, "d_input", "d_output");

    /// <inheritdoc/>
    protected override Model CreateModel(LruConfig config, BuildContext context) => config.VocabSize is null
        ? new LruClassifier(config, context)
        : new LruModel(config, context);
}
