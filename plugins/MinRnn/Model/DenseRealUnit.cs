using TorchSharp.Modules;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>h_t = A h_{t-1} + B u_t, y_t = C h_t + D ⊙ u_t with a full real A: what an LRU is compared with.</summary>
/// <remarks>Orvieto et al. 2023, section 3.1: Glorot's normal distribution, so that eigenvalues lie on the unit disk.</remarks>
internal sealed class DenseRealUnit : Mixer
{
    public readonly Parameter A;
    public readonly Parameter B;
    public readonly Parameter C;
    public readonly Parameter D;
    private readonly long _stateDim;

    public DenseRealUnit(LruConfig config, BuildContext context) : base(nameof(DenseRealUnit))
    {
        _stateDim = config.StateDim;
        A = Normal(_stateDim, _stateDim, _stateDim);
        B = Normal(config.ModelDim, _stateDim, config.ModelDim);
        C = Normal(_stateDim, config.ModelDim, _stateDim);
        D = Normal(1, config.ModelDim);
        RegisterComponents();

        Parameter Normal(double variance, params long[] shape) => new(nn.init.normal_(empty(shape), 0, Math.Sqrt(1 / variance)).to(context.Device));
    }

    public override IReadOnlyList<long[]> StateShapes => [[_stateDim]];

    public override Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var h = state.Find(0) ?? zeros([x.size(0), _stateDim], x.dtype, x.device);
        var from = A.t();
        var states = new List<Tensor>();
        foreach (var input in nn.functional.linear(x, B).unbind(1))
            states.Add(h = addmm(input, h, from, 1, 1));
        state.Keep(0, h);
        return (nn.functional.linear(stack(states, 1), C) + D * x).MoveToOuterDisposeScope();
    }
}
