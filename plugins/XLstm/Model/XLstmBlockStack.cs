using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The blocks and the last norm.</summary>
internal sealed class XLstmBlockStack : nn.Module
{
    [ComponentName(Name = "blocks")]
    private readonly ModuleList<XLstmBlock> _blocks = [];

    [ComponentName(Name = "post_blocks_norm")]
    private readonly OffsetNorm? _norm;

    public XLstmBlockStack(XLstmConfig config, BuildContext context)
        : base(nameof(XLstmBlockStack))
    {
        for (var i = 0; i < config.BlockCount; i++)
            _blocks.Add(new XLstmBlock(config, i, context));
        _norm = config.LastNorm ? new OffsetNorm("post_blocks_norm", config.ModelDim, context.Kernels) : null;
        RegisterComponents();
    }

    public XLstmState NewState(int batch) => new([.. _blocks.Select(b => b.NewState(batch))]);

    /// <param name="embedded">[batch, time, dim].</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <param name="drop">Dropout at a rate.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor embedded, XLstmState? state, Func<Tensor, double, Tensor> drop)
    {
        using var scope = NewDisposeScope();
        var hidden = embedded;
        Tensor? residual = null;
        for (var i = 0; i < _blocks.Count; i++)
            (hidden, residual) = _blocks[i].Forward(hidden, residual, state?.Blocks[i], drop);
        var last = _norm is not null ? _norm.Forward(hidden, residual).Normed : residual is null ? hidden : hidden + residual;
        return last.MoveToOuterDisposeScope();
    }
}
