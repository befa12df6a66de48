using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Embeddings, blocks and the last norm.</summary>
internal sealed class NanoGptBody : nn.Module
{
    [ComponentName(Name = "wte")]
    private readonly TableLayer _tokens;

    [ComponentName(Name = "wpe")]
    private readonly TableLayer _positions;

    [ComponentName(Name = "h")]
    private readonly ModuleList<NanoGptBlock> _blocks;

    [ComponentName(Name = "ln_f")]
    private readonly NormLayer _norm;

    public NanoGptBody(NanoGptConfig config, BuildContext context) : base(nameof(NanoGptBody))
    {
        _tokens = new TableLayer(config.VocabSize, config.ModelDim, NanoGptBlock.Spread);
        _positions = new TableLayer(config.BlockSize, config.ModelDim, NanoGptBlock.Spread);
        _blocks = new ModuleList<NanoGptBlock>([.. Enumerable.Range(0, config.LayerCount).Select(_ => new NanoGptBlock(config, context))]);
        _norm = new NormLayer(config.ModelDim, centre: true, config.HasBias, NanoGptBlock.Epsilon, context.Kernels);
        RegisterComponents();
    }

    /// <summary>The tokens' table.</summary>
    public TableLayer Embedding => _tokens;

    /// <summary>[batch, time] to hidden states, [batch, time, dim].</summary>
    public Tensor Run(Tensor ids, KeyValueCache? cache, DropoutMask? dropout)
    {
        using var scope = NewDisposeScope();
        var stream = _tokens.forward(ids) + _positions.Rows(cache?.Length ?? 0, ids.shape[1]);
        if (dropout is not null)
            stream = dropout.Drop(stream);
        Tensor? branch = null;
        for (var i = 0; i < _blocks.Count; i++)
            (branch, stream) = _blocks[i].Run(branch, stream, cache?.Layer(i), dropout);
        return _norm.OfSum(branch, stream).Normed.MoveToOuterDisposeScope();
    }
}
