using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.XLstm.Config;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model.Large;

/// <summary>SwiGLU: silu(gate) ⊙ value between two projections.</summary>
internal sealed class LargeFeedForward : nn.Module
{
    [ComponentName(Name = "proj_up_gate")]
    private readonly Weights? _gate;

    [ComponentName(Name = "proj_up")]
    private readonly Weights? _up;

    [ComponentName(Name = "proj_up_gate_z")]
    private readonly Weights? _fused;

    [ComponentName(Name = "proj_down")]
    private readonly Weights _down;

    private readonly BuildContext _context;

    public LargeFeedForward(XLstmLargeConfig config, BuildContext context)
        : base(nameof(LargeFeedForward))
    {
        _context = context;
        int dim = config.ModelDim, inner = config.FeedForwardDim;
        if (config.WeightMode == WeightMode.Single)
        {
            _gate = Weights.Uniform("proj_up_gate", config.Bias, inner, dim);
            _up = Weights.Uniform("proj_up", config.Bias, inner, dim);
        }
        else
        {
            _fused = Weights.Uniform("proj_up_gate_z", config.Bias, 2 * inner, dim);
        }
        _down = Weights.Uniform("proj_down", config.Bias, dim, inner);
        RegisterComponents();
    }

    /// <param name="x">[batch, time, dim].</param>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        Tensor Product(Tensor from, Weights weights) => MixedPrecision.Linear(from, weights.Weight, weights.Bias, _context.Dtype, _context.Kernels);
        var parts = _fused is null ? [Product(x, _gate!), Product(x, _up!)]
            : MixedPrecision.LinearParts(x, _fused.Weight, _fused.Bias, 2, _context.Dtype, _context.Kernels);
        return Product(SwiGlu.Apply(parts[0], parts[1], _context.Kernels), _down).MoveToOuterDisposeScope();
    }
}
