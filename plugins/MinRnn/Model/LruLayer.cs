using TorchSharp.Modules;
using TorchSharp.Utils;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Unit, GELU and a gated linear map around a residual connection.</summary>
internal sealed class LruLayer : nn.Module
{
    [ComponentName(Name = "seq")] private readonly Mixer _unit;
    [ComponentName(Name = "out1")] private readonly FlaxDense _value;
    [ComponentName(Name = "out2")] private readonly FlaxDense _gate;
    [ComponentName(Name = "normalization")] private readonly LruNormLayer _norm;
    private readonly LruConfig _config;

    public LruLayer(LruConfig config, BuildContext context) : base(nameof(LruLayer))
    {
        _config = config;
        _unit = config.Recurrence == LruRecurrence.DenseReal ? new DenseRealUnit(config, context) : new LruUnit(config, context);
        _value = new FlaxDense(config.ModelDim, config.ModelDim, context);
        _gate = new FlaxDense(config.ModelDim, config.ModelDim, context);
        _norm = new LruNormLayer(config, context);
        RegisterComponents();
    }

    /// <summary>Shapes of what it remembers of one sequence.</summary>
    public IReadOnlyList<long[]> StateShapes => _unit.StateShapes;

    /// <param name="inputs">[batch, time, dim].</param>
    /// <param name="state">Changed to the final one.</param>
    /// <param name="random">For dropout; null in evaluation.</param>
    /// <returns>[batch, time, dim].</returns>
    public Tensor Forward(Tensor inputs, StateSlots state, CounterRandom? random)
    {
        using var scope = NewDisposeScope();
        var x = _unit.Forward(_config.PreNorm ? _norm.Forward(inputs) : inputs, state);
        x = Drop(nn.functional.gelu(x, GELU.Approximate.tanh));
        x = Drop(_value.forward(x) * _gate.forward(x).sigmoid());
        return (_config.PreNorm ? inputs + x : _norm.Forward(x, inputs)).MoveToOuterDisposeScope();

        // A sequence loses the same dimensions at every step.
        Tensor Drop(Tensor y) => random is null || _config.Dropout == 0 ? y
            : y * Dropout.Mask(y.narrow(1, 0, 1), 1 - _config.Dropout, random, 1 / (1 - _config.Dropout));
    }
}
