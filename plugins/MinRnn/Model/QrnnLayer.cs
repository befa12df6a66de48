using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>One QRNN layer, time first.</summary>
/// <remarks>Bradbury et al. 2017, eq. 1 to 4, with f and 1 - f exchanged as in the original project.</remarks>
internal sealed class QrnnLayer : nn.Module
{
    [ComponentName(Name = "linear")] private readonly Dense _linear;
    private readonly QrnnConfig _config;
    private readonly KernelChoice _kernels;
    private readonly long _inputDim;

    public QrnnLayer(QrnnConfig config, long inputDim, BuildContext context) : base(nameof(QrnnLayer))
    {
        (_config, _kernels, _inputDim) = (config, context.Kernels, inputDim);
        _linear = new Dense(config.Window * inputDim, Gates * config.HiddenDim, hasBias: true, context);
        RegisterComponents();
    }

    private int Gates => _config.OutputGate ? 3 : 2;

    /// <summary>The state, and for a window of 2 the input of the step before.</summary>
    public IReadOnlyList<long[]> StateShapes => _config.Window == 2 ? [[_config.HiddenDim], [_inputDim]] : [[_config.HiddenDim]];

    /// <param name="x">[time, batch, dim].</param>
    /// <param name="state">Changed to the final one.</param>
    /// <param name="random">For zoneout; null in evaluation.</param>
    /// <param name="initial">The state before, [batch, hidden], in place of <paramref name="state"/>'s; null for that.</param>
    /// <returns>The output, [time, batch, hidden], and the final state, [1, batch, hidden].</returns>
    public (Tensor H, Tensor Last) Forward(Tensor x, StateSlots state, CounterRandom? random, Tensor? initial = null)
    {
        using var scope = NewDisposeScope();
        var seen = x;
        if (_config.Window == 2)
        {
            var length = x.size(0);
            var before = state.Find(1)?.unsqueeze(0) ?? zeros([1, x.size(1), _inputDim], x.dtype, x.device);
            var shifted = cat([before, x]);
            seen = cat([x, shifted.narrow(0, 0, length)], 2);
            state.Keep(1, shifted[length]);
        }
        var parts = _linear.Parts(seen, Gates);
        var o = _config.OutputGate ? parts[2] : null;
        initial ??= state.Find(0);
        var (h, last) = _config.Zoneout == 0
            ? QrnnPoolOp.Apply(parts[0], parts[1], o, initial, _kernels)
            : Pool(parts[0], parts[1], o, initial, random);
        state.Keep(0, last[0]);
        return (h.MoveToOuterDisposeScope(), last.MoveToOuterDisposeScope());
    }

    /// <summary>With zoneout between the gate's sigmoid and the mixing.</summary>
    private (Tensor H, Tensor Last) Pool(Tensor z, Tensor f, Tensor? o, Tensor? hidden, CounterRandom? random)
    {
        var kept = 1 - _config.Zoneout;
        var mix = f.sigmoid();
        using TorchSharp.Scalar expected = kept;
        mix = random is null ? mix.mul(expected) : mix * Dropout.Mask(mix, kept, random, scale: 1);
        var c = ForgetMultOp.Apply(mix, z.tanh(), hidden, _kernels);
        return (o is null ? c : o.sigmoid() * c, c.narrow(0, c.size(0) - 1, 1));
    }
}
