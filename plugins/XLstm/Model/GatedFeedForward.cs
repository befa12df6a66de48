using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.XLstm.Config;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Zoo.XLstm.Model;

/// <summary>The feed-forward part of an sLSTM block: act(gate) ⊙ value between two projections.</summary>
internal sealed class GatedFeedForward : Module
{
    [ComponentName(Name = "proj_up")]
    private readonly Weights _up;

    [ComponentName(Name = "proj_down")]
    private readonly Weights _down;

    private readonly BuildContext _context;
    private readonly FeedForwardActivation _activation;
    private readonly int _inner;

    public GatedFeedForward(FeedForwardConfig config, int dim, int blocks, BuildContext context)
        : base(nameof(GatedFeedForward))
    {
        _context = context;
        _activation = config.Activation;
        _inner = config.InnerDim(dim);
        _up = Weights.Normal("proj_up", Weights.Small(dim), config.Bias, 2 * _inner, dim);
        _down = Weights.Normal("proj_down", Weights.Wang(dim, blocks), config.Bias, dim, _inner);
        RegisterComponents();
    }

    /// <param name="x">[batch, time, dim].</param>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var arithmetic = _context.Dtype;
        var gate = MixedPrecision.Linear(x, _up.Weight.narrow(0, 0, _inner), _up.Bias?.narrow(0, 0, _inner), arithmetic);
        var value = MixedPrecision.Linear(x, _up.Weight.narrow(0, _inner, _inner), _up.Bias?.narrow(0, _inner, _inner), arithmetic);
        return MixedPrecision.Linear(Activate(gate) * value, _down.Weight, _down.Bias, arithmetic).MoveToOuterDisposeScope();
    }

    private Tensor Activate(Tensor x) => _activation switch
    {
        FeedForwardActivation.Gelu => functional.gelu(x),
        FeedForwardActivation.Relu => functional.relu(x),
        FeedForwardActivation.ReluSquared => functional.relu(x).square(),
        FeedForwardActivation.Sigmoid => x.sigmoid(),
        FeedForwardActivation.Swish => functional.silu(x),
        FeedForwardActivation.Selu => functional.selu(x),
        _ => throw new ArgumentOutOfRangeException(nameof(x), _activation, null),
    };
}
