using TorchSharp.Utils;
using Zoo.Architectures;
using Zoo.Kernels;
using Zoo.MinRnn.Ops;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>minGRU: gates see only the input, so time is a scan.</summary>
/// <remarks>Feng et al. 2024, section 3.1: h_t = (1 - z_t) ⊙ h_{t-1} + z_t ⊙ h̃_t; in the log-space form h̃ passes g first.</remarks>
internal sealed class MinGruMixer : Mixer
{
    [ComponentName(Name = "to_hidden_and_gate")] private readonly Dense _toHiddenAndGate;
    [ComponentName(Name = "to_out")] private readonly Dense? _toOut;
    private readonly KernelChoice _kernels;
    private readonly bool _plain;
    private readonly long _innerDim;

    public MinGruMixer(MinGruConfig config, BuildContext context) : base(nameof(MinGruMixer))
    {
        (_kernels, _plain, _innerDim) = (context.Kernels, !config.LogSpace, config.InnerDim);
        _toHiddenAndGate = new Dense(config.ModelDim, 2 * _innerDim, hasBias: false, context);
        _toOut = config.HasOutputProjection ? new Dense(_innerDim, config.ModelDim, hasBias: false, context) : null;
        RegisterComponents();
    }

    public override IReadOnlyList<long[]> StateShapes => [[1, _innerDim]];

    public override Tensor Forward(Tensor x, StateSlots state)
    {
        using var scope = NewDisposeScope();
        var parts = _toHiddenAndGate.Parts(x, 2);              // 2 × [batch, time, inner]
        var h = MinGruOp.Apply(parts[0], parts[1], state.Find(0), _plain, _kernels);
        state.Keep(0, Last(h));
        return (_toOut is null ? h : _toOut.forward(h)).MoveToOuterDisposeScope();
    }
}
