using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).</summary>
/// <remarks>
/// m ← β1·m + (1-β1)·g, v ← β2·v + (1-β2)·g², p ← p - lr·λ·p - lr·m̂ / (√v̂ + ε). The bias corrections of m̂ and v̂ are moved into the
/// rate and into ε (Kingma and Ba 2015, end of section 2), which saves a pass over the parameters; the result is the same but for
/// rounding. The number of updates is the run's, also for a parameter whose first gradient comes late.
/// </remarks>
internal sealed class AdamWOptimizer : Optimizer
{
    private readonly double _beta1;
    private readonly double _beta2;
    private readonly double _epsilon;
    private readonly Tensor[] _firstMoments;
    private readonly Tensor[] _secondMoments;
    private readonly Scalar _keepFirst;
    private readonly Scalar _addFirst;
    private readonly Scalar _keepSecond;
    private readonly Scalar _addSecond;

    /// <param name="parameters">What it updates.</param>
    /// <param name="beta1">β1.</param>
    /// <param name="beta2">β2.</param>
    /// <param name="epsilon">ε.</param>
    public AdamWOptimizer(IReadOnlyList<OptimizedParameter> parameters, double beta1, double beta2, double epsilon) : base(parameters)
    {
        (_beta1, _beta2, _epsilon) = (beta1, beta2, epsilon);
        _firstMoments = NewBuffers("exp_avg");
        _secondMoments = NewBuffers("exp_avg_sq");
        (_keepFirst, _addFirst, _keepSecond, _addSecond) = (beta1, 1 - beta1, beta2, 1 - beta2);
    }

    public override void Dispose()
    {
        base.Dispose();
        foreach (var scalar in new[] { _keepFirst, _addFirst, _keepSecond, _addSecond })
            scalar.Dispose();
    }

    protected override void Update(int index, Tensor gradient, double learningRate)
    {
        var parameter = Parameters[index];
        var first = _firstMoments[index].mul_(_keepFirst).add_(gradient, _addFirst);
        var second = _secondMoments[index].mul_(_keepSecond).addcmul_(gradient, gradient, _addSecond);
        if (parameter.WeightDecay != 0)
        {
            using Scalar keep = 1 - learningRate * parameter.WeightDecay;
            parameter.Parameter.mul_(keep);
        }
        var secondCorrection = Math.Sqrt(1 - Math.Pow(_beta2, UpdateCount));
        using Scalar epsilon = _epsilon * secondCorrection;
        using Scalar minusRate = -learningRate * secondCorrection / (1 - Math.Pow(_beta1, UpdateCount));
        using var denominator = second.sqrt().add_(epsilon);
        parameter.Parameter.addcdiv_(first, denominator, minusRate);
    }
}
