using System.Text.Json.Nodes;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.XLstm.Ops.HeadNorm;
using Zoo.XLstm.Ops.Slstm;
using Zoo.XLstm.Ops.SlstmInputs;
using static TorchSharp.torch;

namespace Zoo.XLstm.Model;

/// <summary>The sLSTM layer: convolution, gates head by head, scalar memory, norm.</summary>
/// <remarks>
/// Beck et al. 2024, figure 9. Upstream's names of two gates are swapped: the cell's input gate is made by the weights called fgate, its forget gate by igate.
/// A checkpoint matches only so.
/// </remarks>
internal sealed class SlstmLayer : nn.Module, IRecurrentLayer
{
    private static readonly OpOptions NormOptions = new(new JsonObject { ["eps"] = OffsetNorm.Epsilon, ["offset"] = 1.0 });

    [ComponentName(Name = "conv1d")]
    private readonly CausalConvolution? _conv;

    [ComponentName(Name = "fgate")]
    private readonly Weights _input;

    [ComponentName(Name = "igate")]
    private readonly Weights _forget;

    [ComponentName(Name = "zgate")]
    private readonly Weights _value;

    [ComponentName(Name = "ogate")]
    private readonly Weights _output;

    [ComponentName(Name = "slstm_cell")]
    private readonly SlstmCell _cell;

    [ComponentName(Name = "group_norm")]
    private readonly Weights? _norm;

    private readonly BuildContext _context;
    private readonly int _dim, _heads;

    public SlstmLayer(XLstmConfig config, int block, BuildContext context)
        : base(nameof(SlstmLayer))
    {
        var layer = config.Slstm!.Layer;
        _context = context;
        (_dim, _heads) = (config.ModelDim, layer.HeadCount);
        if (layer.ConvWidth > 0)
            _conv = new CausalConvolution(_dim, layer.ConvWidth, context.Kernels);
        var headDim = _dim / _heads;
        Weights Gate(string name) => Weights.Normal(name, Weights.Small(_dim), hasBias: false, _heads, headDim, headDim);
        _input = Gate("fgate");
        _forget = Gate("igate");
        _value = Gate("zgate");
        _output = Gate("ogate");
        _cell = new SlstmCell(layer, _dim, block, config.BlockCount);
        _norm = layer.NormWeight ? new Weights("group_norm", zeros(_dim)) : null;
        RegisterComponents();
    }

    public BlockState NewState(int batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var cells = zeros([4, batch, _dim], _cell.Bias.dtype, _cell.Bias.device);
        return _conv is null ? new BlockState(cells) : new BlockState(cells, zeros([batch, _conv.Width, _dim], _cell.Bias.dtype, _cell.Bias.device));
    }

    public Tensor Forward(Tensor x, BlockState? state, Func<Tensor, Tensor> drop)
    {
        using var scope = NewDisposeScope();
        var (convolved, last) = _conv is null ? (x, null) : _conv.Forward(x, state?[1]);
        var gates = SlstmInputs.Apply(convolved, x, (_input.Float32, _forget.Float32, _value.Float32, _output.Float32), _context.Kernels);
        var (y, after) = Slstm.Apply(gates, _cell.Recurrent, _cell.Bias, state?[0], _context.Kernels);
        if (last is null)
            state?.Replace(after);
        else
            state?.Replace(after, last);
        y = drop(y);                        // before the norm, not after it, as upstream has it
        return HeadNorm.Apply(y, _norm?.Weight, _norm is null ? OpOptions.None : NormOptions, _context.Kernels).MoveToOuterDisposeScope();
    }
}
