using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>A GRU or LSTM to compare with: libtorch's own, or a loop over time in tensor operations on the same parameters.</summary>
/// <remarks>Cho et al. 2014 and Hochreiter and Schmidhuber 1997, in PyTorch's form: gates in the order r, z, n and i, f, g, o.</remarks>
internal sealed class GatedRnnMixer : Mixer
{
    [ComponentName(Name = "rnn")] private readonly nn.Module _rnn;
    [ComponentName(Name = "to_out")] private readonly Dense? _toOut;
    private readonly bool _loop;
    private readonly long _innerDim;

    public GatedRnnMixer(GatedRnnConfig config, BuildContext context) : base(nameof(GatedRnnMixer))
    {
        (_loop, _innerDim) = (config.Implementation == RnnImplementation.Loop, config.InnerDim);
        _rnn = config.IsLstm
            ? nn.LSTM(config.ModelDim, _innerDim, batchFirst: true)
            : nn.GRU(config.ModelDim, _innerDim, batchFirst: true);
        if (context.Device.type != DeviceType.CPU)
            _rnn.to(context.Device);
        _toOut = config.HasOutputProjection ? new Dense(_innerDim, config.ModelDim, hasBias: false, context) : null;
        RegisterComponents();
    }

    private bool IsLstm => _rnn is LSTM;

    public override IReadOnlyList<long[]> StateShapes => IsLstm ? [[_innerDim], [_innerDim]] : [[_innerDim]];

    public override Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var h = state.Find(0)?.unsqueeze(0) ?? zeros([1, x.size(0), _innerDim], x.dtype, x.device);
        Tensor y;
        if (IsLstm)
        {
            var c = state.Find(1)?.unsqueeze(0) ?? zeros_like(h);
            (y, var last, var lastCell) = _loop ? LstmLoop(x, h, c) : ((LSTM)_rnn).call(x, (h, c));
            state.Keep(0, last[0]);
            state.Keep(1, lastCell[0]);
        }
        else
        {
            (y, var last) = _loop ? GruLoop(x, h) : ((GRU)_rnn).call(x, h);
            state.Keep(0, last[0]);
        }
        return (_toOut is null ? y : _toOut.forward(y)).MoveToOuterDisposeScope();
    }

    /// <summary>r, z = σ(…); n = tanh(W x + r ⊙ (U h)); h = (1 - z) ⊙ n + z ⊙ h. Everything that needs no state is one product.</summary>
    private (Tensor Y, Tensor Last) GruLoop(Tensor x, Tensor h0)
    {
        var (fromX, weight, bias) = Projected(x);
        using Scalar one = 1;
        var h = h0[0];
        var states = new List<Tensor>();
        foreach (var xt in fromX.unbind(1))
        {
            var gx = xt.split([2 * _innerDim, _innerDim], 1);
            var gh = addmm(bias, h, weight, 1, 1).split([2 * _innerDim, _innerDim], 1);
            var gates = gx[0].Plus(gh[0]).sigmoid().chunk(2, 1);
            var n = gx[1].addcmul(gates[0], gh[1], one).tanh();
            states.Add(h = n.lerp(h, gates[1]));
        }
        return (states.Count > 0 ? stack(states, 1) : x.new_empty(x.size(0), 0, _innerDim), h.unsqueeze(0));
    }

    /// <summary>i, f, o = σ(…), g = tanh(…); c = f ⊙ c + i ⊙ g; h = o ⊙ tanh(c).</summary>
    private (Tensor Y, Tensor Last, Tensor LastCell) LstmLoop(Tensor x, Tensor h0, Tensor c0)
    {
        var (fromX, weight, bias) = Projected(x);
        using Scalar one = 1;
        var (h, c) = (h0[0], c0[0]);
        var states = new List<Tensor>();
        foreach (var xt in fromX.unbind(1))
        {
            var g = xt.Plus(addmm(bias, h, weight, 1, 1)).chunk(4, 1);
            c = (g[0].sigmoid() * g[2].tanh()).addcmul(g[1].sigmoid(), c, one);
            states.Add(h = g[3].sigmoid() * c.tanh());
        }
        return (states.Count > 0 ? stack(states, 1) : x.new_empty(x.size(0), 0, _innerDim), h.unsqueeze(0), c.unsqueeze(0));
    }

    /// <summary>W x + b for every step, and Uᵀ and its bias.</summary>
    private (Tensor FromX, Tensor Weight, Tensor Bias) Projected(Tensor x)
    {
        var parameters = _rnn.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        var fromX = nn.functional.linear(x, parameters["weight_ih_l0"], parameters["bias_ih_l0"]);
        return (fromX, parameters["weight_hh_l0"].t(), parameters["bias_hh_l0"]);
    }
}
