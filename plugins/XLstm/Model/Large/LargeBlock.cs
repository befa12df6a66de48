using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>A residual block: norm and mLSTM layer, norm and feed-forward part.</summary>
internal sealed class LargeBlock : nn.Module
{
    [ComponentName(Name = "norm_mlstm")]
    private readonly RootNorm _norm;

    [ComponentName(Name = "mlstm_layer")]
    private readonly LargeMlstmLayer _layer;

    [ComponentName(Name = "norm_ffn")]
    private readonly RootNorm _feedForwardNorm;

    [ComponentName(Name = "ffn")]
    private readonly LargeFeedForward _feedForward;

    public LargeBlock(XLstmLargeConfig config, BuildContext context)
        : base(nameof(LargeBlock))
    {
        _norm = new RootNorm("norm_mlstm", config, context);
        _layer = new LargeMlstmLayer(config, context);
        _feedForwardNorm = new RootNorm("norm_ffn", config, context);
        _feedForward = new LargeFeedForward(config, context);
        RegisterComponents();
    }

    public BlockState NewState(int batch) => _layer.NewState(batch);

    /// <summary>What the block's last part gave, and the residual stream without it; so come both in.</summary>
    public (Tensor Hidden, Tensor Residual) Forward(Tensor hidden, Tensor? residual, BlockState? state)
    {
        var (normed, sum) = _norm.Forward(hidden, residual);
        (normed, sum) = _feedForwardNorm.Forward(_layer.Forward(normed, state), sum);
        return (_feedForward.Forward(normed), sum);
    }
}
