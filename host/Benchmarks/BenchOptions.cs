using TorchSharp;
using Zoo.Kernels;
using Zoo.Kernels.Cuda;

namespace Zoo.Host.Benchmarks;

/// <summary>How to benchmark.</summary>
internal sealed record BenchOptions
{
    /// <summary>Timed calls of a model, or turns of all that is compared of an op, unless the user says otherwise.</summary>
    public const int UsualRuns = 20;

    /// <summary>Timed calls that the user asked for, of an op in all; null for <see cref="UsualRuns"/>.</summary>
    public required int? Runs { get; init; }

    /// <summary>Calls before them.</summary>
    public required int Warmup { get; init; }

    /// <summary>Threads of libtorch and of kernels.</summary>
    public required int Threads { get; init; }

    /// <summary>Where to run.</summary>
    public required torch.Device Device { get; init; }

    /// <summary>The card, for ops; null on the CPU. Where libtorch has no CUDA, <see cref="Device"/> is the CPU beside it.</summary>
    public ICudaDevice? Card { get; init; }

    /// <summary>The backends that the user named; null for a comparison of all there are.</summary>
    public KernelChoice? Kernels { get; init; }

    /// <summary>Asked between calls.</summary>
    public CancellationToken Cancellation { get; init; }
}
