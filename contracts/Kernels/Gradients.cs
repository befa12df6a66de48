using TorchSharp;

namespace Zoo.Kernels;

/// <summary>Backward passes through ops with kernels.</summary>
public static class Gradients
{
    private static long _missing;

    /// <summary>
    /// Tensors that exist now. TorchSharp's own count also holds, for ever, an empty wrapper for every output of an op that got no gradient.
    /// </summary>
    public static long LiveTensors => torch.Tensor.TotalCount - Interlocked.Read(ref _missing);

    /// <summary>`loss.backward()`, and then what went wrong in a kernel's backward, if anything did.</summary>
    /// <param name="loss">A scalar.</param>
    /// <exception cref="Exception">The kernel's own exception; gradients are then worthless.</exception>
    public static void Backward(torch.Tensor loss)
    {
        loss.backward();
        BackwardFailure.ThrowIfAny();
    }

    /// <summary>As above from several outputs at once, with the gradient that each has.</summary>
    /// <param name="outputs">Each requires a gradient.</param>
    /// <param name="gradients">One for each output, of its shape.</param>
    /// <exception cref="Exception">The kernel's own exception; gradients are then worthless.</exception>
    public static void Backward(IReadOnlyList<torch.Tensor> outputs, IReadOnlyList<torch.Tensor> gradients)
    {
        torch.autograd.backward([.. outputs], [.. gradients]);
        BackwardFailure.ThrowIfAny();
    }

    internal static void CountMissing(int count) => Interlocked.Add(ref _missing, count);
}
