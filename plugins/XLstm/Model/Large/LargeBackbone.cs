using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>The blocks and the last norm.</summary>
internal sealed class LargeBackbone : nn.Module
{
    [ComponentName(Name = "blocks")]
    private readonly ModuleList<LargeBlock> _blocks = [];

    [ComponentName(Name = "out_norm")]
    private readonly RootNorm? _norm;

    public LargeBackbone(XLstmLargeConfig config, BuildContext context)
        : base(nameof(LargeBackbone))
    {
        for (var i = 0; i < config.BlockCount; i++)
            _blocks.Add(new LargeBlock(config, context));
        _norm = config.LastNorm ? new RootNorm("out_norm", config, context) : null;
        RegisterComponents();
    }

    public XLstmState NewState(int batch) => new([.. _blocks.Select(b => b.NewState(batch))]);

    /// <param name="embedded">[batch, time, dim].</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor embedded, XLstmState? state)
    {
        using var scope = NewDisposeScope();
        var hidden = embedded;
        Tensor? residual = null;
        for (var i = 0; i < _blocks.Count; i++)
            (hidden, residual) = _blocks[i].Forward(hidden, residual, state?.Blocks[i]);
        var last = _norm is not null ? _norm.Forward(hidden, residual).Normed : residual is null ? hidden : hidden + residual;
        return last.MoveToOuterDisposeScope();
    }
}
