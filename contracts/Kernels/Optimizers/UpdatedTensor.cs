using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>One tensor of an optimiser's update.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Value">What is updated in place: a parameter, or its float32 master where the model's own copy is bfloat16.</param>
/// <param name="Gradient">Its gradient, of the same shape; it stays as it is.</param>
/// <param name="LearningRate">Its rate at this step.</param>
/// <param name="WeightDecay">Its weight decay.</param>
public sealed record UpdatedTensor(string Name, Tensor Value, Tensor Gradient, double LearningRate, double WeightDecay)
{
    /// <summary>The optimiser's state, in the order of its names, updated in place; each of the value's shape and layout.</summary>
    public IReadOnlyList<Tensor> State { get; init; } = [];

    /// <summary>The model's bfloat16 copy, written in the same pass; null where there is none.</summary>
    public Tensor? LowPrecision { get; init; }
}
