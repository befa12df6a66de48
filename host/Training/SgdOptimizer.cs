using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Stochastic gradient descent, by the op `sgd`.</summary>
internal sealed class SgdOptimizer : Optimizer
{
    private readonly SgdRule _rule;
    private readonly Tensor[][] _momentumBuffers;

    /// <param name="parameters">What it updates; weight decay is an L2 penalty.</param>
    /// <param name="momentum">μ; 0 keeps no buffers.</param>
    public SgdOptimizer(IReadOnlyList<OptimizedParameter> parameters, double momentum) : base(parameters)
    {
        _rule = new SgdRule(momentum);
        _momentumBuffers = momentum > 0 ? [.. NewBuffers(SgdUpdate.Instance.StateNames[0]).Select(b => new[] { b })] : [];
    }

    protected override IReadOnlyList<Tensor> StateOf(int index) => _momentumBuffers.Length > 0 ? _momentumBuffers[index] : [];

    protected override UpdateResult Update(IReadOnlyList<UpdatedTensor> tensors, long number, double largestNorm) =>
        SgdUpdate.Instance.Apply(tensors, _rule, largestNorm, Kernels);
}
