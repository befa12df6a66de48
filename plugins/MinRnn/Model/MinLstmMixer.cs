using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>minLSTM: both gates see only the input and are normalised, so time is a scan.</summary>
/// <remarks>Feng et al. 2024, section 3.2: h_t = f' ⊙ h_{t-1} + i' ⊙ h̃_t, f' = f / (f + i), i' = i / (f + i); in the log-space form h̃ passes g first.</remarks>
internal sealed class MinLstmMixer : Mixer
{
    [ComponentName(Name = "to_hidden_and_f_i_gate")] private readonly Dense _toHiddenAndGates;
    [ComponentName(Name = "to_out")] private readonly Dense? _toOut;
    private readonly KernelChoice _kernels;
    private readonly bool _plain;
    private readonly long _innerDim;

    public MinLstmMixer(MinLstmConfig config, BuildContext context) : base(nameof(MinLstmMixer))
    {
        (_kernels, _plain, _innerDim) = (context.Kernels, !config.LogSpace, config.InnerDim);
        _toHiddenAndGates = new Dense(config.ModelDim, 3 * _innerDim, hasBias: false, context);
        _toOut = config.HasOutputProjection ? new Dense(_innerDim, config.ModelDim, hasBias: false, context) : null;
        RegisterComponents();
    }

    public override IReadOnlyList<long[]> StateShapes => [[1, _innerDim]];

    public override Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var parts = _toHiddenAndGates.Parts(x, 3);             // 3 × [batch, time, inner]
        var h = MinLstmOp.Apply(parts[0], parts[1], parts[2], state.Find(0), _plain, _kernels);
        state.Keep(0, Last(h));
        return (_toOut is null ? h : _toOut.forward(h)).MoveToOuterDisposeScope();
    }
}
