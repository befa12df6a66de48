using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>The embedding, blocks and the last norm.</summary>
internal sealed class LlamaBody : nn.Module
{
    [ComponentName(Name = "embed_tokens")]
    private readonly TableLayer _tokens;

    [ComponentName(Name = "layers")]
    private readonly ModuleList<LlamaBlock> _blocks;

    [ComponentName(Name = "norm")]
    private readonly NormLayer _norm;

    private readonly RotaryTable _rotary;

    public LlamaBody(LlamaConfig config, BuildContext context) : base(nameof(LlamaBody))
    {
        _tokens = new TableLayer(config.VocabSize, config.ModelDim, config.InitialSpread);
        _blocks = new ModuleList<LlamaBlock>([.. Enumerable.Range(0, config.LayerCount).Select(_ => new LlamaBlock(config, context))]);
        _norm = new NormLayer(config.ModelDim, centre: false, hasBias: false, config.NormEpsilon, context.Kernels);
        _rotary = new RotaryTable(config.HeadDim, config.RopeTheta, config.RopeScaling, config.SequenceLength);
        RegisterComponents();
    }

    /// <summary>The tokens' table.</summary>
    public TableLayer Embedding => _tokens;

    /// <summary>[batch, time] to hidden states, [batch, time, dim].</summary>
    public Tensor Run(Tensor ids, KeyValueCache? cache, DropoutMask? dropout)
    {
        using var scope = NewDisposeScope();
        var stream = _tokens.forward(ids);
        var (cos, sin) = _rotary.At(cache?.Length ?? 0, ids.shape[1], stream);
        Tensor? branch = null;
        for (var i = 0; i < _blocks.Count; i++)
            (branch, stream) = _blocks[i].Run(branch, stream, cos, sin, cache?.Layer(i), dropout);
        return _norm.OfSum(branch, stream).Normed.MoveToOuterDisposeScope();
    }
}
