namespace Zoo.MatMulFree;

/// <summary>How many bytes a model's parameters take in each of their forms, from its sizes alone.</summary>
/// <param name="config">Sizes.</param>
internal readonly struct ModelMemory(MatMulFreeConfig config)
{
    /// <summary>Numbers of ternary matrices: of the mixers, and of a ternary head.</summary>
    public long Ternary
    {
        get
        {
            long dim = config.ModelDim, inner = config.InnerDim, wide = config.IntermediateDim;
            return config.LayerCount * (4 * dim * inner + 3 * dim * wide) + (config.TernaryHead ? config.VocabSize * dim : 0);
        }
    }

    /// <summary>Numbers of tables in full precision: the embedding, and a head that is not ternary.</summary>
    public long Tables => config.VocabSize * (long)config.ModelDim * (config.TernaryHead || config.TieEmbeddings ? 1 : 2);

    /// <summary>Other numbers, which stay in float32: norms, bounds, convolutions, and a scale for each ternary matrix.</summary>
    public long Others
    {
        get
        {
            long dim = config.ModelDim, inner = config.InnerDim, convs = !config.UseShortConv ? 0 : config.ShareConv ? dim : 2 * inner;
            var layer = 3 * dim + inner + dim + config.IntermediateDim      // the norms inside of the six ternary layers
                + 2 * dim + inner + convs * config.ConvWidth + (config.UseLowerBound ? config.LowerBoundDim : 0) + 6;
            return config.LayerCount * layer + dim + (config.TernaryHead ? dim + 1 : 0);
        }
    }

    /// <summary>All parameters in float32.</summary>
    public long Float32 => 4 * (Ternary + Tables + Others);

    /// <summary>All parameters in 16 bits.</summary>
    public long Half => 2 * (Ternary + Tables + Others);

    /// <summary>Ternary weights in 2 bits, tables in bf16, the rest in float32.</summary>
    public long Packed => (Ternary + 3) / 4 + 2 * Tables + 4 * Others;

    /// <summary>Training: parameters, gradients, and AdamW's two moments in float32.</summary>
    public long Training => 4 * Float32;

    /// <summary>
    /// What training keeps of so many tokens for backward: of a block two sums and two norms, the mixers' outputs, three projections, states and the
    /// gated norm, gate, value and their product; logits and their gradient.
    /// </summary>
    public long Activations(long tokens) => 4 * tokens * (config.LayerCount * (6L * config.ModelDim + 5L * config.InnerDim + 3L * config.IntermediateDim)
        + 2L * config.VocabSize);

    /// <summary>The same of a Transformer whose attention keeps no scores: queries, keys, values, their result and its projection instead.</summary>
    public long TransformerActivations(long tokens) =>
        4 * tokens * (config.LayerCount * (11L * config.ModelDim + 3L * config.IntermediateDim) + 2L * config.VocabSize);

    /// <summary>A Transformer's keys and values of so many tokens, in 16 bits.</summary>
    public long TransformerCache(long tokens) => 2 * tokens * 2 * config.LayerCount * config.ModelDim;

    /// <summary>What a sequence's state takes, whatever its length.</summary>
    public long State => 4L * config.LayerCount * config.InnerDim;
}
