using System.Text.Json.Nodes;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.XLstm.Ops.HeadNorm;
using Zoo.XLstm.Ops.Mlstm;
using Zoo.XLstm.Ops.MlstmInputs;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The mLSTM layer: up-projection, convolution, matrix memory, skip connection, output gate, down-projection.</summary>
/// <remarks>
/// Beck et al. 2024, figure 10. The two halves of the up-projection, x and z, are made apart: so neither has to be cut out of a wider tensor.
/// </remarks>
internal sealed class MlstmLayer : nn.Module, IRecurrentLayer
{
    private static readonly OpOptions NormOptions = new(new JsonObject { ["eps"] = OffsetNorm.Epsilon, ["offset"] = 1.0, ["gate_act"] = "silu" });

    [ComponentName(Name = "proj_up")]
    private readonly Weights _up;

    [ComponentName(Name = "q_proj")]
    private readonly Weights _query;

    [ComponentName(Name = "k_proj")]
    private readonly Weights _key;

    [ComponentName(Name = "v_proj")]
    private readonly Weights _value;

    [ComponentName(Name = "conv1d")]
    private readonly CausalConvolution _conv;

    [ComponentName(Name = "mlstm_cell")]
    private readonly MlstmCell _cell;

    [ComponentName(Name = "learnable_skip")]
    private readonly Parameter _skip;

    [ComponentName(Name = "proj_down")]
    private readonly Weights _down;

    private readonly BuildContext _context;
    private readonly int _inner, _heads;

    public MlstmLayer(XLstmConfig config, BuildContext context)
        : base(nameof(MlstmLayer))
    {
        var layer = config.Mlstm!.Layer;
        var (dim, blocks) = (config.ModelDim, layer.ProjectionBlocks(config.ModelDim));
        _context = context;
        (_inner, _heads) = (layer.InnerDim(dim), layer.HeadCount);
        _up = Weights.Normal("proj_up", Weights.Small(dim), config.Bias, 2 * _inner, dim);
        Weights Projection(string name) => new(
            name, empty(blocks, _inner / blocks, _inner / blocks).normal_(0, Weights.Small(dim)), config.Bias ? zeros(_inner) : null);
        _query = Projection("q_proj");
        _key = Projection("k_proj");
        _value = Projection("v_proj");
        _conv = new CausalConvolution(_inner, layer.ConvWidth, context.Kernels);
        _cell = new MlstmCell(_inner, _heads);
        _skip = new Parameter(ones(_inner));
        _down = Weights.Normal("proj_down", Weights.Wang(dim, config.BlockCount), config.Bias, dim, _inner);
        RegisterComponents();
    }

    public BlockState NewState(int batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var (dim, device) = (_inner / _heads, _skip.device);
        Tensor Empty(params long[] shape) => zeros(shape, _skip.dtype, device);
        return new BlockState(Empty(batch, _conv.Width, _inner), Empty(batch, _heads, dim, dim), Empty(batch, _heads, dim), Empty(batch, _heads, 1));
    }

    public Tensor Forward(Tensor x, BlockState? state, Func<Tensor, Tensor> drop)
    {
        using var scope = NewDisposeScope();
        var arithmetic = _context.Dtype;
        var halves = MixedPrecision.LinearParts(x, _up.Weight, _up.Bias, 2, arithmetic, _context.Kernels);
        var (inner, z) = (halves[0], halves[1]);
        var (conv, last) = _conv.Forward(inner, state?[0]);
        var given = new NamedTensors
        {
            ["x"] = inner,
            ["conv"] = conv,
            ["wq"] = _query.Float32,
            ["wk"] = _key.Float32,
            ["wv"] = _value.Float32,
            ["wi"] = _cell.InputGate.Float32,
            ["bi"] = _cell.InputGate.Bias!,
            ["wf"] = _cell.ForgetGate.Float32,
            ["bf"] = _cell.ForgetGate.Bias!,
        };
        if (_query.Bias is { } bias)
            (given["bq"], given["bk"], given["bv"]) = (bias, _key.Bias!, _value.Bias!);
        var made = MlstmInputs.Instance.Invoke(given, OpOptions.None, _context.Kernels).Outputs;
        var (h, after) = Mlstm.Apply(
            made["q"], made["k"], made["v"], made["i"], made["f"], state is null ? null : (state[1], state[2], state[3]), kernels: _context.Kernels);
        state?.Replace(last, after.C, after.N, after.M);
        var y = HeadNorm.Apply(h, _cell.NormWeight, NormOptions, _context.Kernels, (_skip, conv), z);
        return drop(MixedPrecision.Linear(y, _down.Weight, _down.Bias, arithmetic, _context.Kernels)).MoveToOuterDisposeScope();
    }
}
