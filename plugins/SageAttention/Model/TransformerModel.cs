using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>What both forms of the Transformer have in common: lengths, the cache, the head.</summary>
/// <param name="config">Sizes.</param>
/// <param name="context">Backends and arithmetic.</param>
internal abstract class TransformerModel(TransformerConfig config, BuildContext context) : TokenModel("transformer")
{
    /// <inheritdoc/>
    public override int VocabSize => config.VocabSize;

    /// <inheritdoc/>
    public override int? MaximumLength => config.SequenceLength;

    /// <inheritdoc/>
    /// <remarks>Quantised attention smooths keys by their mean over the whole sequence, so that later ones move what was before within its error.</remarks>
    public override bool IsCausal => base.IsCausal && config.Attention == AttentionKind.Exact;

    /// <summary>Which backend is wanted.</summary>
    protected KernelChoice Kernels => context.Kernels;

    /// <summary>Of the run.</summary>
    protected ScalarType Arithmetic => context.Dtype;

    /// <summary>The head's matrix, [vocabulary, dim].</summary>
    protected abstract Parameter HeadWeight { get; }

    /// <summary>The name of the head in checkpoints where the embedding's table is the head as well; null where it has its own.</summary>
    protected abstract string? TiedTable { get; }

    /// <inheritdoc/>
    public override Tensor Hidden(Tensor ids)
    {
        RequireLength(ids);
        return Run(ids, null);
    }

    /// <inheritdoc/>
    public override Tensor Hidden(Tensor ids, ModelState state)
    {
        var cache = (KeyValueCache)state;
        cache.RequireRoom(ids.shape[1]);
        return Run(ids, cache);
    }

    /// <inheritdoc/>
    public override Tensor Step(Tensor ids, ModelState state)
    {
        using var scope = NewDisposeScope();
        return Hidden(ids.unsqueeze(1), state).squeeze(1).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public override ModelState NewState(int batch)
    {
        var weight = HeadWeight;
        return KeyValueCache.New(config, batch, weight.dtype == ScalarType.BFloat16 ? ScalarType.Float32 : weight.dtype, weight.device);
    }

    /// <inheritdoc/>
    public override Tensor Head(Tensor hidden) => MixedPrecision.Linear(hidden, HeadWeight, null, Arithmetic);

    /// <inheritdoc/>
    public override Tensor HeadLoss(Tensor hidden, Tensor targets) => HeadWeight.dtype == hidden.dtype
        ? CrossEntropy.Apply(hidden, HeadWeight, targets, kernels: Kernels)
        : base.HeadLoss(hidden, targets);

    /// <summary>Vectors (biases and norms) without weight decay, as the original projects train.</summary>
    public override IReadOnlyList<ParameterGroup> ParameterGroups() =>
        [new ParameterGroup([.. TrainableParameters().Where(p => p.Parameter.dim() < 2).Select(p => p.Name)]) { WeightDecay = 0 }];

    /// <inheritdoc/>
    public override IReadOnlyList<string> TiedKeys(string key) => key == TiedTable ? ["lm_head.weight"] : [];

    /// <summary>Hidden states, after what the cache holds.</summary>
    protected abstract Tensor Run(Tensor ids, KeyValueCache? cache);

    /// <summary>Dropout of a share in training, from the model's own random numbers; null where nothing is dropped.</summary>
    protected DropoutMask? Dropout(double share) => training && share > 0 ? new DropoutMask(share, Randomness) : null;

    private void RequireLength(Tensor ids)
    {
        if (ids.shape[1] > config.SequenceLength)
        {
            throw new UserException($"transformer: a sequence of {ids.shape[1]} tokens is longer than the {config.SequenceLength} that it is built for " +
                "(block_size or max_position_embeddings).");
        }
    }
}
