using System.Text.Json.Serialization;
using Zoo.Training;

namespace Zoo.SageAttention;

/// <summary>nanoGPT's keys: learned positions, LayerNorm, GELU, an embedding that is the head as well.</summary>
/// <remarks>Keys and defaults of karpathy/nanoGPT, but for sizes, which are its small set-up for a CPU.</remarks>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record NanoGptConfig : TransformerConfig
{
    internal const string ActivationKey = "activation_function";

    private const string Exact = "gelu", ByTanh = "gelu_new";

    /// <summary>The longest sequence: there is a learned vector for each position up to it.</summary>
    [JsonPropertyName("block_size")] public int BlockSize { get; init; } = 64;

    /// <summary>How many blocks.</summary>
    [JsonPropertyName("n_layer")] public int Layers { get; init; } = 4;

    /// <summary>How many heads; H.</summary>
    [JsonPropertyName("n_head")] public int Heads { get; init; } = 4;

    /// <summary>Width of the residual stream; D.</summary>
    [JsonPropertyName("n_embd")] public int EmbeddingDim { get; init; } = 128;

    /// <summary>The share of numbers that training drops: of the embedding, the attention weights and both branches' outputs.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>
    /// GELU's form: "gelu", exact, as nanoGPT has it; "gelu_new", by tanh, with which OpenAI trained GPT-2. A key of Hugging Face's GPT-2.
    /// </summary>
    [JsonPropertyName(ActivationKey)] public string Activation { get; init; } = Exact;

    /// <summary>Whether linear layers and LayerNorms have a bias, as GPT-2's have.</summary>
    [JsonPropertyName("bias")] public bool HasBias { get; init; }

    /// <summary>Whether the checkpoint that the config came with has its matrices [in, out], as Hugging Face's GPT-2; no key, and of no meaning for the model.</summary>
    [JsonIgnore]
    public bool HasInOutMatrices { get; init; }

    /// <summary>Whether GELU is that by tanh.</summary>
    [JsonIgnore]
    public bool HasTanhGelu => Activation == ByTanh;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int ModelDim => EmbeddingDim;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int LayerCount => Layers;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HeadCount => Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int KeyHeadCount => Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int HeadDim => EmbeddingDim / Heads;

    /// <inheritdoc/>
    [JsonIgnore]
    public override int SequenceLength => BlockSize;

    /// <summary>What nanoGPT's code takes where a config says nothing.</summary>
    internal static NanoGptConfig Upstream { get; } =
        new() { Layers = 12, Heads = 12, EmbeddingDim = 768, BlockSize = 1024, VocabSize = 50304, HasBias = true };

    /// <summary>Two layers, 32 wide.</summary>
    public static NanoGptConfig Tiny { get; } = new() { Layers = 2, Heads = 2, EmbeddingDim = 32, BlockSize = 96, HasBias = true };

    /// <summary>nanoGPT's set-up for characters of Shakespeare.</summary>
    public static NanoGptConfig Small { get; } = new() { Layers = 6, Heads = 6, EmbeddingDim = 384, BlockSize = 256, Dropout = 0.2 };

    /// <summary>GPT-2 with 124 million parameters.</summary>
    public static NanoGptConfig Gpt2 { get; } =
        new() { Layers = 12, Heads = 12, EmbeddingDim = 768, BlockSize = 1024, VocabSize = 50257, HasBias = true };

    /// <summary>nanoGPT's settings for small character models: β2 0.99, warm-up 100, cosine to a tenth, decay 0.1 of matrices, clipping at 1.</summary>
    [JsonIgnore]
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.AdamW,
        BatchSize = 12,
        LearningRate = ModelDim >= 768 ? 6e-4 : 1e-3,
        Schedule = ScheduleKind.Cosine,
        FinalLearningRateFactor = 0.1,
        WarmupSteps = 100,
        WarmupStartFactor = 0,
        WeightDecay = 0.1,
        Beta1 = 0.9,
        Beta2 = ModelDim >= 768 ? 0.95 : 0.99,
        GradientClip = 1,
    };

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        var wrong = WrongSizes("n_layer", ("block_size", BlockSize), ("n_head", Heads), ("n_embd", EmbeddingDim)).ToList();
        foreach (var problem in wrong.Concat(Outside("dropout", Dropout, 0, 1)))
            yield return problem;
        if (Activation is not (Exact or ByTanh))
            yield return $"'{ActivationKey}' is \"{Activation}\"; it must be \"{Exact}\" or \"{ByTanh}\".";
        if (Heads > 0 && EmbeddingDim % Heads != 0)
            yield return $"'n_embd' is {EmbeddingDim} and 'n_head' {Heads}; the first must be a multiple of the second.";
        if (wrong.Count > 0)
            yield break;
        foreach (var problem in AttentionProblems())
            yield return problem;
    }
}
