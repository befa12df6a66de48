using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Stochastic gradient descent: g ← g + λ·p, b ← μ·b + g from b = 0, p ← p - lr·b; without momentum b is g.</summary>
internal sealed class SgdOptimizer : Optimizer
{
    private const string BufferName = "momentum_buffer";
    private readonly Tensor[] _momentumBuffers;
    private readonly Scalar _momentum;

    /// <param name="parameters">What it updates; weight decay is an L2 penalty.</param>
    /// <param name="momentum">μ; 0 keeps no buffers.</param>
    public SgdOptimizer(IReadOnlyList<OptimizedParameter> parameters, double momentum) : base(parameters)
    {
        _momentum = momentum;
        _momentumBuffers = momentum > 0 ? NewBuffers(BufferName) : [];
    }

    public override void Dispose()
    {
        base.Dispose();
        _momentum.Dispose();
    }

    protected override void Update(int index, Tensor gradient, double learningRate)
    {
        var parameter = Parameters[index];
        if (parameter.WeightDecay != 0)
        {
            using Scalar decay = parameter.WeightDecay;
            gradient.add_(parameter.Parameter, decay);
        }
        var direction = _momentumBuffers.Length > 0 ? _momentumBuffers[index].mul_(_momentum).add_(gradient) : gradient;
        using Scalar minusRate = -learningRate;
        parameter.Parameter.add_(direction, minusRate);
    }
}
