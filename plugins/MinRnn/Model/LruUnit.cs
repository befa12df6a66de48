using TorchSharp;
using TorchSharp.Modules;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>The linear recurrent unit.</summary>
internal sealed class LruUnit : Mixer
{
    public readonly Parameter nu_log;
    public readonly Parameter theta_log;
    public readonly Parameter gamma_log;
    public readonly Parameter B_re;
    public readonly Parameter B_im;
    public readonly Parameter C_re;
    public readonly Parameter C_im;
    public readonly Parameter D;
    private readonly KernelChoice _kernels;
    private readonly long _stateDim;

    public LruUnit(LruConfig config, BuildContext context) : base(nameof(LruUnit))
    {
        (_kernels, _stateDim) = (context.Kernels, config.StateDim);
        var (low, high) = (config.MinRadius * config.MinRadius, config.MaxRadius * config.MaxRadius);

        // |λ|² is uniform between both radii's squares: λ uniform over the area of the ring. The end 1 itself would make γ infinite.
        var squares = Drawn(_stateDim).uniform_(low, high).clamp_(1e-12, 1 - 1e-7);
        using Scalar half = -0.5;
        using Scalar two = 0.5;
        using Scalar one = 1;
        nu_log = Keep(squares.log().mul(half).log());
        theta_log = Keep(Drawn(_stateDim).uniform_(0, config.MaxPhase).clamp_(1e-6, config.MaxPhase).log());
        gamma_log = Keep((-squares).add(one).log().mul(two));                                  // γ = √(1 - |λ|²)
        B_re = Normal(2 * config.ModelDim, _stateDim, config.ModelDim);
        B_im = Normal(2 * config.ModelDim, _stateDim, config.ModelDim);
        C_re = Normal(_stateDim, config.ModelDim, _stateDim);
        C_im = Normal(_stateDim, config.ModelDim, _stateDim);
        D = Normal(1, config.ModelDim);
        RegisterComponents();

        Tensor Drawn(params long[] shape) => empty(shape, ScalarType.Float64);
        Parameter Keep(Tensor values) => new(values.to(ScalarType.Float32).to(context.Device));
        Parameter Normal(double variance, params long[] shape) => new(nn.init.normal_(empty(shape), 0, Math.Sqrt(1 / variance)).to(context.Device));
    }

    public override IReadOnlyList<long[]> StateShapes => [[2, _stateDim]];

    public override Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var parameters = new NamedTensors
        {
            ["nu_log"] = nu_log,
            ["theta_log"] = theta_log,
            ["gamma_log"] = gamma_log,
            ["B_re"] = B_re,
            ["B_im"] = B_im,
            ["C_re"] = C_re,
            ["C_im"] = C_im,
            ["D"] = D,
        };
        var (y, last) = LruOp.Apply(x, parameters, state.Find(0), _kernels);
        state.Keep(0, last);
        return y.MoveToOuterDisposeScope();
    }
}
