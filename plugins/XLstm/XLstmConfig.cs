using System.Text.Json.Serialization;
using Zoo.Architectures;
using Zoo.Training;
using Zoo.XLstm.Config;

namespace Zoo.XLstm;

/// <summary>Hyperparameters of an xLSTM language model (Beck et al. 2024), under the original project's keys.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
public sealed record XLstmConfig : ModelConfig
{
    internal const int MostBlocks = 1 << 16;
    internal const int MostFactor = 1 << 10;
    internal const int Largest = 1 << 24;   // widths and other counts; their products then fit 64 bits

    /// <summary>mLSTM blocks; null where every block is an sLSTM block.</summary>
    [JsonPropertyName("mlstm_block")] public MlstmBlockConfig? Mlstm { get; init; }

    /// <summary>sLSTM blocks; null where there are none.</summary>
    [JsonPropertyName("slstm_block")] public SlstmBlockConfig? Slstm { get; init; }

    /// <summary>The length it is trained at. Nothing depends on it: the recurrences have no bound.</summary>
    [JsonPropertyName("context_length")] public int ContextLength { get; init; } = -1;

    /// <summary>Blocks.</summary>
    [JsonPropertyName("num_blocks")] public int BlockCount { get; init; } = 1;

    /// <summary>Width of the residual stream.</summary>
    [JsonPropertyName("embedding_dim")] public int ModelDim { get; init; } = 128;

    /// <summary>Whether a norm follows the blocks.</summary>
    [JsonPropertyName("add_post_blocks_norm")] public bool LastNorm { get; init; } = true;

    /// <summary>Whether mLSTM layers' projections have biases.</summary>
    [JsonPropertyName("bias")] public bool Bias { get; init; }

    /// <summary>Share of the layers' outputs dropped in training.</summary>
    [JsonPropertyName("dropout")] public double Dropout { get; init; }

    /// <summary>Which blocks are sLSTM blocks; all of them where <see cref="Mlstm"/> is null.</summary>
    [JsonPropertyName("slstm_at")] public SlstmPlaces SlstmAt { get; init; } = SlstmPlaces.None;

    /// <summary>Token ids.</summary>
    [JsonPropertyName("vocab_size")] public int VocabSize { get; init; } = 256;

    /// <summary>Whether the head is the embedding.</summary>
    [JsonPropertyName("tie_weights")] public bool TieWeights { get; init; }

    /// <summary>Whether weight decay works on the embedding.</summary>
    [JsonPropertyName("weight_decay_on_embedding")] public bool DecaysEmbedding { get; init; }

    /// <summary>Whether embeddings are dropped out, too.</summary>
    [JsonPropertyName("add_embedding_dropout")] public bool DropsEmbedding { get; init; }

    /// <summary>The paper's optimiser; rate and length of warm-up are for small models on a processor.</summary>
    public override TrainingSettings Training => new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 1e-3,
        Schedule = ScheduleKind.Cosine,
        FinalLearningRateFactor = 0.1,
        WarmupSteps = 100,
        WeightDecay = 0.1,
        Beta1 = 0.9,
        Beta2 = 0.95,
        Epsilon = 1e-8,
        GradientClip = 1,
    };

    /// <summary>Whether a block is an sLSTM block.</summary>
    internal bool IsSlstm(int block) => Mlstm is null || SlstmAt.Contains(block) || SlstmAt.Contains(block - BlockCount);

    internal static XLstmConfig Sized(int modelDim, int blocks, SlstmPlaces slstmAt, int vocab = 256) => new()
    {
        Mlstm = new(),
        Slstm = new(),
        ModelDim = modelDim,
        BlockCount = blocks,
        SlstmAt = slstmAt,
        VocabSize = vocab,
        ContextLength = 256,
    };

    /// <summary>A width, rounded to a multiple.</summary>
    internal static int RoundedDim(double width, int multiple, bool up)
    {
        var count = up ? Math.Ceiling(width / multiple) : Math.Floor(width / multiple);
        return (int)Math.Min(Largest, count * multiple);
    }

    /// <inheritdoc/>
    public override IEnumerable<string> Problems()
    {
        foreach (var (key, value, most) in new[] { ("num_blocks", BlockCount, MostBlocks), ("embedding_dim", ModelDim, Largest), ("vocab_size", VocabSize, Largest) })
        {
            if (value < 1 || value > most)
                yield return $"'{key}' is {value}; it must be from 1 to {most}.";
        }
        if (Dropout is not (>= 0 and < 1))
            yield return $"'dropout' is {Dropout}; it must be at least 0 and below 1.";
        foreach (var block in SlstmAt.Blocks ?? [])
        {
            if (block < -BlockCount || block >= BlockCount)
                yield return $"'slstm_at' has block {block}; blocks are 0 to {BlockCount - 1}, or {-BlockCount} to -1 from the end.";
        }
        var blocks = Enumerable.Range(0, Math.Clamp(BlockCount, 0, MostBlocks)).ToList();
        if (Slstm is null && blocks.Any(IsSlstm))
            yield return Mlstm is null ? "Neither 'mlstm_block' nor 'slstm_block' is given; one is needed." : "'slstm_at' asks for sLSTM blocks, and there is no 'slstm_block'.";
        if (Slstm?.Layer is { HeadCount: > 0 } slstm && blocks.Any(IsSlstm) && ModelDim % slstm.HeadCount != 0)
            yield return $"'embedding_dim' is {ModelDim} and 'slstm_block.slstm.num_heads' {slstm.HeadCount}; heads must share it evenly.";
        if (Slstm?.FeedForward is { Multiple: > 0 } feedForward && blocks.Any(IsSlstm) && feedForward.InnerDim(ModelDim) < 1)
            yield return $"The feed-forward part of sLSTM blocks is {feedForward.InnerDim(ModelDim)} wide; 'proj_factor' {feedForward.ProjectionFactor} rounded to multiples of {feedForward.Multiple} leaves nothing.";
        if (Mlstm?.Layer is { HeadCount: > 0, ProjectionBlock: > 0, Multiple: > 0 } mlstm && !blocks.TrueForAll(IsSlstm))
        {
            var inner = mlstm.InnerDim(ModelDim);
            var projections = mlstm.ProjectionBlocks(ModelDim);
            if (inner < 1 || inner % mlstm.HeadCount != 0 || projections < 1 || inner % projections != 0)
            {
                yield return $"The inner width of mLSTM layers is {inner}; 'num_heads' {mlstm.HeadCount} and the {projections} blocks for which "
                    + $"'qkv_proj_blocksize' {mlstm.ProjectionBlock} has room must share it evenly.";
            }
        }
    }
}
