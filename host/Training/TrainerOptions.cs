using TorchSharp;
using Zoo.Kernels;

namespace Zoo.Host.Training;

/// <summary>What a training needs beside model, data and settings.</summary>
internal sealed record TrainerOptions
{
    /// <summary>The run's seed.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>Where the model is and the batches go.</summary>
    public torch.Device Device { get; init; } = torch.CPU;

    /// <summary>The arithmetic that the model was built for.</summary>
    public torch.ScalarType Dtype { get; init; } = torch.ScalarType.Float32;

    /// <summary>Which backends are wanted.</summary>
    public KernelChoice Kernels { get; init; } = KernelChoice.Auto;

    /// <summary>Threads that kernels may use.</summary>
    public int Threads { get; init; } = 1;
}
