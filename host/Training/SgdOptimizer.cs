using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>
/// Stochastic gradient descent: g ← g + λ·p, b ← μ·b + g (b = g at first), p ← p - lr·b; without momentum b is g.
/// </summary>
internal sealed class SgdOptimizer : Optimizer
{
    private readonly Tensor?[] _momentumBuffers;
    private readonly double _momentum;

    /// <param name="parameters">What it updates; weight decay is an L2 penalty.</param>
    /// <param name="momentum">μ; 0 keeps no buffers.</param>
    public SgdOptimizer(IReadOnlyList<OptimizedParameter> parameters, double momentum) : base(parameters)
    {
        _momentum = momentum;
        _momentumBuffers = new Tensor?[parameters.Count];
    }

    /// <inheritdoc/>
    /// <remarks>A buffer exists once its parameter has had a gradient.</remarks>
    public override NamedTensors State()
    {
        var state = new NamedTensors();
        for (var i = 0; i < Parameters.Count; i++)
        {
            if (_momentumBuffers[i] is { } buffer)
                state.Add(Key(i), buffer);
        }
        return state;
    }

    public override void Dispose()
    {
        foreach (var buffer in _momentumBuffers)
            buffer?.Dispose();
    }

    protected override NamedTensors PrepareRestore(NamedTensors saved)
    {
        if (_momentum > 0)
        {
            for (var i = 0; i < Parameters.Count; i++)
            {
                _momentumBuffers[i]?.Dispose();
                _momentumBuffers[i] = saved.ContainsKey(Key(i)) ? NewBuffer(Parameters[i].Parameter) : null;
            }
        }
        return State();
    }

    protected override void Update(int index, Tensor gradient, double learningRate)
    {
        var parameter = Parameters[index];
        if (parameter.WeightDecay != 0)
        {
            using Scalar decay = parameter.WeightDecay;
            gradient.add_(parameter.Parameter, decay);
        }
        var direction = gradient;
        if (_momentum > 0)
        {
            if (_momentumBuffers[index] is { } buffer)
            {
                using Scalar momentum = _momentum;
                buffer.mul_(momentum).add_(gradient);
            }
            else
            {
                buffer = _momentumBuffers[index] = gradient.clone().DetachFromDisposeScope();
            }
            direction = buffer;
        }
        using Scalar minusRate = -learningRate;
        parameter.Parameter.add_(direction, minusRate);
    }

    private string Key(int index) => "momentum_buffer." + Parameters[index].Name;
}
