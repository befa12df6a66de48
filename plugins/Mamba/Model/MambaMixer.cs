using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.Mamba.Ops.SelectiveScan;
using static TorchSharp.torch;

namespace Zoo.Mamba.Model;

/// <summary>The mixer of a block: a gated short convolution and a selective scan between two projections.</summary>
/// <remarks>
/// Gu &amp; Dao 2023, section 3.4 and algorithm 2. x and z come from the two halves of one weight as parts that lie apart: so neither
/// has to be cut out of a wider tensor, nor its gradient be put into one.
/// </remarks>
internal sealed class MambaMixer : nn.Module
{
    [ComponentName(Name = "A_log")]
    private readonly Parameter _logA;

    [ComponentName(Name = "D")]
    private readonly Parameter _skip;

    [ComponentName(Name = "in_proj")]
    private readonly WeightAndBias _input;

    [ComponentName(Name = "conv1d")]
    private readonly WeightAndBias _conv;

    [ComponentName(Name = "x_proj")]
    private readonly WeightAndBias? _selection;

    [ComponentName(Name = "dt_proj")]
    private readonly WeightAndBias _step;

    [ComponentName(Name = "out_proj")]
    private readonly WeightAndBias _output;

    /// <summary>Δ, B and C where they do not depend on the input: [rank + 2 states].</summary>
    [ComponentName(Name = "constant")]
    private readonly Parameter? _constant;

    private readonly int _inner, _rank, _states;
    private readonly BuildContext _context;

    public MambaMixer(MambaConfig config, BuildContext context)
        : base(nameof(MambaMixer))
    {
        var mixer = config.Mixer;
        _context = context;
        (_inner, _rank, _states) = (config.InnerDim, config.StepRank, mixer.StateDim);
        _input = WeightAndBias.Linear("in_proj", config.ModelDim, 2 * _inner, mixer.Bias);
        var convBound = 1 / Math.Sqrt(mixer.ConvWidth);
        _conv = new WeightAndBias("conv1d", empty(_inner, 1, mixer.ConvWidth).uniform_(-convBound, convBound),
            mixer.ConvBias ? empty(_inner).uniform_(-convBound, convBound) : null);
        if (mixer.Selective)
            _selection = WeightAndBias.Linear("x_proj", _inner, _rank + 2 * _states, hasBias: false);
        else
            _constant = Constant();
        _step = StepProjection(mixer);
        using (NewDisposeScope())
        {
            // S4D-real: A = -1, ..., -N for every channel.
            var row = arange(1, _states + 1, ScalarType.Float32).log();
            _logA = new Parameter(row.expand(_inner, _states).clone().MoveToOuterDisposeScope());
        }
        _skip = new Parameter(ones(_inner));
        _output = WeightAndBias.Linear("out_proj", _inner, config.ModelDim, mixer.Bias);
        using (no_grad())
        {
            using Scalar depth = 1 / Math.Sqrt(config.LayerCount);
            _output.Weight.mul_(depth);   // GPT-2's scaling of what enters the residual stream
        }
        RegisterComponents();
    }

    public Tensor InputX => _input.Weight.narrow(0, 0, _inner);

    public Tensor InputZ => _input.Weight.narrow(0, _inner, _inner);

    public Tensor? InputBiasX => _input.Bias?.narrow(0, 0, _inner);

    public Tensor? InputBiasZ => _input.Bias?.narrow(0, _inner, _inner);

    /// <summary>[channel, width].</summary>
    public Tensor ConvWeight => _conv.Weight.squeeze(1);

    public Tensor? ConvBias => _conv.Bias;

    /// <summary>The rows of x_proj that give Δ's low-rank input, B and C.</summary>
    public (Tensor Step, Tensor B, Tensor C) ParameterRows => (
        _selection!.Weight.narrow(0, 0, _rank), _selection.Weight.narrow(0, _rank, _states), _selection.Weight.narrow(0, _rank + _states, _states));

    public Tensor StepWeight => _step.Weight;

    public Tensor StepBias => _step.Bias!;

    public Tensor Skip => _skip;

    public Tensor OutputWeight => _output.Weight;

    public Tensor? OutputBias => _output.Bias;

    /// <summary>A = -exp(A_log), in float32, [channel, state].</summary>
    public Tensor NegativeA()
    {
        using var scope = NewDisposeScope();
        return (-_logA.exp()).MoveToOuterDisposeScope();
    }

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="state">What was before, changed to what is after; null for nothing before, and nothing kept.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, MambaLayerState? state)
    {
        using var scope = NewDisposeScope();
        var (arithmetic, kernels) = (_context.Dtype, _context.Kernels);
        var projected = MixedPrecision.LinearParts(x, _input.Weight, _input.Bias, 2, arithmetic, kernels);
        var (u, inputs) = CausalConv.Apply(projected[0], ConvWeight, ConvBias, silu: true, state?.Inputs, kernels);
        projected[0].Dispose();         // what follows takes its place, in memory and in the cache
        var parameters = _selection is not null ? MixedPrecision.Linear(u, _selection.Weight, null, arithmetic, kernels)
            : _constant!.expand(x.size(0), x.size(1), _rank + 2 * _states);                              // [batch, time, rank + 2 states]
        var delta = MixedPrecision.Linear(parameters.narrow(2, 0, _rank), _step.Weight, null, arithmetic, kernels);
        var (y, last) = SelectiveScanTokens.Apply(
            u, delta, NegativeA(), parameters.narrow(2, _rank, _states), parameters.narrow(2, _rank + _states, _states), _skip, projected[1], StepBias,
            state?.States, kernels);
        state?.Replace(inputs, last);
        return MixedPrecision.Linear(y, _output.Weight, _output.Bias, arithmetic, kernels).MoveToOuterDisposeScope();
    }

    /// <summary>Step sizes as the bias has them, B one and C normal, as diagonal state-space models of fixed parameters start.</summary>
    private Parameter Constant()
    {
        using var scope = NewDisposeScope();
        return new Parameter(cat([zeros(_rank), ones(_states), randn(_states)]).MoveToOuterDisposeScope());
    }

    /// <summary>Step sizes start log-uniform between dt_min and dt_max: the bias is the inverse softplus of them.</summary>
    private WeightAndBias StepProjection(MixerConfig mixer)
    {
        using var scope = NewDisposeScope();
        var bound = Math.Pow(_rank, -0.5) * mixer.StepScale;
        var weight = mixer.StepInit == "constant" ? full([_inner, _rank], bound) : empty(_inner, _rank).uniform_(-Math.Abs(bound), Math.Abs(bound));
        using Scalar low = Math.Log(mixer.StepMinimum), range = Math.Log(mixer.StepMaximum) - Math.Log(mixer.StepMinimum), floor = mixer.StepFloor;
        var steps = rand(_inner).mul(range).add(low).exp().clamp_min(floor);
        var bias = steps + (-(-steps).expm1()).log();
        return new WeightAndBias("dt_proj", weight.MoveToOuterDisposeScope(), bias.MoveToOuterDisposeScope());
    }
}
