using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Training;

/// <summary>Adam with decoupled weight decay, by the op `adamw`.</summary>
/// <remarks>The number of updates is the run's, also for a parameter whose first gradient comes late.</remarks>
internal sealed class AdamWOptimizer : Optimizer
{
    private readonly AdamWRule _rule;
    private readonly Tensor[][] _moments;

    /// <param name="parameters">What it updates.</param>
    /// <param name="beta1">β1.</param>
    /// <param name="beta2">β2.</param>
    /// <param name="epsilon">ε.</param>
    public AdamWOptimizer(IReadOnlyList<OptimizedParameter> parameters, double beta1, double beta2, double epsilon) : base(parameters)
    {
        _rule = new AdamWRule(beta1, beta2, epsilon, Step: 1);
        var buffers = AdamWUpdate.Instance.StateNames.Select(NewBuffers).ToList();
        _moments = [.. parameters.Select((_, i) => buffers.Select(b => b[i]).ToArray())];
    }

    protected override IReadOnlyList<Tensor> StateOf(int index) => _moments[index];

    protected override UpdateResult Update(IReadOnlyList<UpdatedTensor> tensors, long number, double largestNorm) =>
        AdamWUpdate.Instance.Apply(tensors, _rule with { Step = number }, largestNorm, Kernels);
}
