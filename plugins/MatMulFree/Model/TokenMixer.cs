using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MatMulFree.Ops.Mlgru;
using Zoo.MatMulFree.Ops.Step;
using Zoo.MatMulFree.Ops.SwishNorm;
using static TorchSharp.torch;

namespace Zoo.MatMulFree.Model;

/// <summary>The token mixer: a gated linear recurrence (MLGRU) between ternary layers.</summary>
/// <remarks>Zhu et al. 2024, section 3.2; HGRNBitAttention in the published code, whose norm takes g_proj's output and gates it with the states.</remarks>
internal sealed class TokenMixer : nn.Module
{
    [ComponentName(Name = "i_proj")]
    private readonly BitLinear _input;

    [ComponentName(Name = "f_proj")]
    private readonly BitLinear _forget;

    [ComponentName(Name = "g_proj")]
    private readonly BitLinear _gate;

    [ComponentName(Name = "h_conv1d")]
    private readonly Weight? _sharedConv;

    [ComponentName(Name = "f_conv1d")]
    private readonly Weight? _forgetConv;

    [ComponentName(Name = "i_conv1d")]
    private readonly Weight? _inputConv;

    [ComponentName(Name = "g_norm")]
    private readonly Weight _norm;

    [ComponentName(Name = "o_proj")]
    private readonly BitLinear _output;

    private readonly MatMulFreeConfig _config;
    private readonly BuildContext _context;

    public TokenMixer(MatMulFreeConfig config, BuildContext context)
        : base(nameof(TokenMixer))
    {
        (_config, _context) = (config, context);
        int dim = config.ModelDim, inner = config.InnerDim;
        _input = new BitLinear("i_proj", inner, dim, Xavier, context);
        _forget = new BitLinear("f_proj", inner, dim, Xavier, context);
        _gate = new BitLinear("g_proj", inner, dim, Xavier, context);
        if (config is { UseShortConv: true, ShareConv: true })
        {
            _sharedConv = Conv("h_conv1d", dim);
        }
        else if (config.UseShortConv)
        {
            _forgetConv = Conv("f_conv1d", inner);
            _inputConv = Conv("i_conv1d", inner);
        }
        _norm = Weight.Norm("g_norm", inner);
        _output = new BitLinear("o_proj", dim, inner, Xavier, context);
        RegisterComponents();
    }

    /// <summary>A state with nothing before it.</summary>
    public MixerState NewState(int batch)
    {
        using var noGradient = no_grad();
        var weight = _norm.Value;
        return new MixerState(Zeros(batch, _config.InnerDim), Inputs(_sharedConv ?? _inputConv), Inputs(_forgetConv));

        Tensor Zeros(params long[] shape) => zeros(shape, weight.dtype, weight.device).DetachFromDisposeScope();

        Tensor? Inputs(Weight? conv) => conv is null ? null : Zeros(batch, _config.ConvWidth, conv.Value.size(0));
    }

    /// <summary>Adds what a step on packed weights needs.</summary>
    public unsafe void Describe(ref StepLayer layer)
    {
        (layer.Input, layer.Forget, layer.Gate, layer.Output) = (_input.Packed, _forget.Packed, _gate.Packed, _output.Packed);
        layer.GateNorm = KernelArray.Of(_norm.Value).Float32;
    }

    /// <param name="x">[batch, time, dim].</param>
    /// <param name="lowerBound">Of the forget gates, [inner dim]; null for none.</param>
    /// <param name="state">Changed to the final one; null for nothing before, and nothing kept.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor x, Tensor? lowerBound, MixerState? state)
    {
        using var scope = NewDisposeScope();
        var kernels = _context.Kernels;
        Tensor? firstInputs = null, secondInputs = null;
        if (_sharedConv is not null)
            (x, firstInputs) = Convolve(x, _sharedConv, state?.FirstInputs);
        var input = _input.Forward(x);
        var forget = _forget.Forward(x);
        if (_inputConv is not null)
        {
            (input, firstInputs) = Convolve(input, _inputConv, state?.FirstInputs);
            (forget, secondInputs) = Convolve(forget, _forgetConv!, state?.SecondInputs);
        }
        var (h, last) = MlgruOp.Apply(input, forget, lowerBound, state?.Hidden, kernels);
        state?.Replace(last, firstInputs, secondInputs);
        var gated = SwishNormOp.Apply(_gate.Forward(x), h, _norm.Value, _config.NormEpsilon, kernels);
        return _output.Forward(gated).MoveToOuterDisposeScope();
    }

    private (Tensor Y, Tensor Last) Convolve(Tensor x, Weight conv, Tensor? before) =>
        CausalConv.Apply(x, conv.Value.squeeze(1), null, silu: true, before, _context.Kernels);

    /// <summary>Uniform with gain 2^-2.5; not changed afterwards. The matrices' two sizes are the stream's and the mixer's.</summary>
    private void Xavier(Tensor weight)
    {
        var bound = Math.Pow(2, -2.5) * Math.Sqrt(6.0 / (_config.ModelDim + _config.InnerDim));
        weight.uniform_(-bound, bound);
    }

    /// <summary>[channel, 1, width], as the original's convolutions hold it.</summary>
    private Weight Conv(string name, long channels)
    {
        var bound = 1 / Math.Sqrt(_config.ConvWidth);
        return new Weight(name, empty(channels, 1, _config.ConvWidth).uniform_(-bound, bound));
    }
}
