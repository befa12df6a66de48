using TorchSharp;

namespace Zoo.Kernels;

/// <summary>Backward passes through ops with kernels.</summary>
public static class Gradients
{
    /// <summary>`loss.backward()`, and then what went wrong in a kernel's backward, if anything did.</summary>
    /// <param name="loss">A scalar.</param>
    /// <exception cref="Exception">The kernel's own exception; gradients are then worthless.</exception>
    public static void Backward(torch.Tensor loss)
    {
        loss.backward();
        BackwardFailure.ThrowIfAny();
    }
}
