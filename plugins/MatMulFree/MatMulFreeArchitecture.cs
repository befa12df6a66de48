using System.Text.Json.Nodes;
using Zoo.Architectures;
using Zoo.MatMulFree.Model;
using Zoo.Tasks;

namespace Zoo.MatMulFree;

/// <summary>The MatMul-free language model: ternary layers on 8-bit activations, and a gated linear recurrence for attention.</summary>
public sealed class MatMulFreeArchitecture : Architecture<MatMulFreeConfig>
{
    /// <inheritdoc/>
    public override ArchitectureInfo Info { get; } = new("matmulfree",
        "The MatMul-free language model",
        "Zhu et al. 2024, Scalable MatMul-free Language Modeling, arXiv:2406.02528; parameters of ridgerchu/matmulfreellm")
    {
        Kind = ModelKind.TokenModel,
        DefaultPreset = "small",
        Abilities = ModelAbilities.Step | ModelAbilities.ConstantMemoryStep | ModelAbilities.Causal | ModelAbilities.Packed,
        HasExactGradient = false,
        Ops = ["bitlinear", "causal_conv1d", "cross_entropy", "mlgru", "packed_bitlinear", "rms_norm", "rms_norm_swish_gate", "swiglu_halves", "ternary_matmul"],
        Limits =
        [
            "Gradients pass straight through the roundings of weights and activations: they are not the derivatives of what is computed.",
            "Short convolutions follow the published layer's intent; the published code itself fails with them.",
        ],
    };

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, ModelConfig> Presets { get; } = new Dictionary<string, ModelConfig>
    {
        ["tiny"] = MatMulFreeConfig.Sized(32, 2, vocab: 64),
        ["small"] = MatMulFreeConfig.Sized(128, 4, vocab: 256),
        ["370m"] = MatMulFreeConfig.Sized(1024, 24),
        ["1.3b"] = MatMulFreeConfig.Sized(2048, 24),
        ["2.7b"] = MatMulFreeConfig.Sized(2560, 32),
    };

    /// <inheritdoc/>
    public override JsonObject ImpliedBy(TaskShape shape) => shape.VocabSize is { } vocab ? new() { ["vocab_size"] = vocab } : [];

    /// <summary>The original's names. With a convolution for each projection it has one, q_conv1d, that nothing uses.</summary>
    public override UpstreamTensor? FindUpstream(string name) => name.EndsWith(".q_conv1d.weight", StringComparison.Ordinal) ? null : new(name);

    /// <inheritdoc/>
    public override IReadOnlyList<MemoryNeed> MemoryNeeds(ModelConfig config)
    {
        const int tokens = 2048;
        var memory = new ModelMemory((MatMulFreeConfig)config);
        return
        [
            new("training", memory.Training + memory.Activations(tokens),
                $"float32 parameters, gradients and AdamW's two moments, and what backward needs of {tokens} tokens")
            {
                TransformerBytes = memory.Training + memory.TransformerActivations(tokens),
            },
            new("inference", memory.Packed + memory.State,
                $"ternary weights in 2 bits, the embedding in bf16, and the state; the Transformer in fp16 with the cache of {tokens} tokens")
            {
                TransformerBytes = memory.Half + memory.TransformerCache(tokens),
            },
        ];
    }

    /// <inheritdoc/>
    protected override Architectures.Model CreateModel(MatMulFreeConfig config, BuildContext context) => new MatMulFreeModel(config, context);
}
