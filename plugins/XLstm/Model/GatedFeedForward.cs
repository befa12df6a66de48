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

    public GatedFeedForward(FeedForwardConfig config, int dim, int blocks, BuildContext context)
        : base(nameof(GatedFeedForward))
    {
        _context = context;
        _activation = config.Activation;
        var inner = config.InnerDim(dim);
        _up = Weights.Normal("proj_up", Weights.Small(dim), config.Bias, 2 * inner, dim);
        _down = Weights.Normal("proj_down", Weights.Wang(dim, blocks), config.Bias, dim, inner);
        RegisterComponents();
    }

    /// <param name="x">[batch, time, dim].</param>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var arithmetic = _context.Dtype;
        var parts = MixedPrecision.LinearParts(x, _up.Weight, _up.Bias, 2, arithmetic, _context.Kernels);       // gate, value
        return MixedPrecision.Linear(Activate(parts[0]) * parts[1], _down.Weight, _down.Bias, arithmetic, _context.Kernels).MoveToOuterDisposeScope();
    }

    private Tensor Activate(Tensor x) => _activation switch
    {
        FeedForwardActivation.Gelu => Kernels.Gelu.Apply(x, kernels: _context.Kernels),
        FeedForwardActivation.Relu => functional.relu(x),
        FeedForwardActivation.ReluSquared => functional.relu(x).square(),
        FeedForwardActivation.Sigmoid => x.sigmoid(),
        FeedForwardActivation.Swish => functional.silu(x),
        FeedForwardActivation.Selu => functional.selu(x),
        _ => throw new ArgumentOutOfRangeException(nameof(x), _activation, null),
    };
}
