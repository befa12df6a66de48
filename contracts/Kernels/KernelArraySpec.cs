using TorchSharp;

namespace Zoo.Kernels;

/// <summary>An array that a kernel fills: an output, or something that its forward keeps for its backward.</summary>
/// <param name="Name">Its name: of an output, the op's.</param>
/// <param name="Shape">Its sizes.</param>
public sealed record KernelArraySpec(string Name, params long[] Shape)
{
    /// <summary>By which the kernel finds it where that is not its name, because an input has it: a final state beside the initial one.</summary>
    public string Key { get => field ?? Name; init; }

    /// <summary>Its element type.</summary>
    public torch.ScalarType Dtype { get; init; } = torch.ScalarType.Float32;

    /// <summary>Whether gradients flow into it.</summary>
    public bool Differentiable { get; init; } = true;
}
