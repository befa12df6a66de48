using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Host.Verification;

/// <summary>Checks on a card whose libtorch has no CUDA: ops run there by their cuda kernels alone; whole models cannot.</summary>
/// <param name="card">The card.</param>
/// <param name="kernels">What the user typed.</param>
internal sealed class OnCard(ICudaDevice card, KernelChoice kernels)
{
    /// <summary>Why no model runs there.</summary>
    public static string WhyNoModel => "libtorch has no CUDA here: on the card, only ops with a cuda backend run, and no whole model.";

    /// <summary>The backends for an op's calls there.</summary>
    /// <param name="op">The op.</param>
    /// <param name="why">Why it cannot run there; null when it can.</param>
    public KernelChoice KernelsFor(Op op, out string? why)
    {
        why = kernels.For(op.Name) is { } named && named != KernelChoice.Cuda
            ? $"--kernels {kernels}: libtorch has no CUDA here, so that '{named}' cannot run on the card; 'cuda' can."
            : op.Kernels.All(k => k.Backend != KernelChoice.Cuda)
                ? $"{op.Name} has no cuda backend, and libtorch, which would run its reference on the card, has no CUDA here."
                : null;
        return KernelChoice.Parse($"{op.Name}={KernelChoice.Cuda}");
    }

    /// <summary>Until the result is disposed, ops on CPU tensors run on the card.</summary>
    public IDisposable Use() => CudaDevices.Use(card);
}
