using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>A residual block: norm and recurrent layer, and in sLSTM blocks norm and feed-forward part.</summary>
internal sealed class XLstmBlock : nn.Module
{
    [ComponentName(Name = "xlstm_norm")]
    private readonly OffsetNorm _norm;

    [ComponentName(Name = "xlstm")]
    private readonly nn.Module _layer;

    [ComponentName(Name = "ffn_norm")]
    private readonly OffsetNorm? _feedForwardNorm;

    [ComponentName(Name = "ffn")]
    private readonly GatedFeedForward? _feedForward;

    public XLstmBlock(XLstmConfig config, int index, BuildContext context)
        : base(nameof(XLstmBlock))
    {
        var isSlstm = config.IsSlstm(index);
        _norm = new OffsetNorm("xlstm_norm", config.ModelDim, context.Kernels);
        _layer = isSlstm ? new SlstmLayer(config, index, context) : new MlstmLayer(config, context);
        Dropout = config.Dropout;
        if (isSlstm && config.Slstm!.FeedForward is { } feedForward)
        {
            _feedForwardNorm = new OffsetNorm("ffn_norm", config.ModelDim, context.Kernels);
            _feedForward = new GatedFeedForward(feedForward, config.ModelDim, config.BlockCount, context);
            FeedForwardDropout = feedForward.Dropout;
        }
        RegisterComponents();
    }

    public double Dropout { get; }

    public double FeedForwardDropout { get; }

    private IRecurrentLayer Layer => (IRecurrentLayer)_layer;

    public BlockState NewState(int batch) => Layer.NewState(batch);

    /// <param name="hidden">What the previous part gave, or the embedding, [batch, time, dim].</param>
    /// <param name="residual">The residual stream without it; null before the first block.</param>
    /// <param name="state">Changed to the final one; null for none.</param>
    /// <param name="drop">Dropout at a rate, where the model is in training.</param>
    /// <returns>What this block's last part gave, and the residual stream without it.</returns>
    public (Tensor Hidden, Tensor Residual) Forward(Tensor hidden, Tensor? residual, BlockState? state, Func<Tensor, double, Tensor> drop)
    {
        var (normed, sum) = _norm.Forward(hidden, residual);
        var given = Layer.Forward(normed, state, y => drop(y, Dropout));
        if (_feedForward is null)
            return (given, sum);
        (normed, sum) = _feedForwardNorm!.Forward(given, sum);
        return (drop(_feedForward.Forward(normed), FeedForwardDropout), sum);
    }
}
