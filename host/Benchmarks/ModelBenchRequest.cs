using TorchSharp;
using Zoo.Architectures;
using Zoo.Training;

namespace Zoo.Host.Benchmarks;

/// <summary>What of a model to benchmark.</summary>
/// <param name="Installed">The architecture.</param>
/// <param name="Config">Its config.</param>
/// <param name="Mode">"train", "prefill" or "decode".</param>
/// <param name="Training">Complete settings.</param>
/// <param name="Batch">Examples, or sequences side by side.</param>
/// <param name="Length">Time steps of an example; tokens to decode.</param>
/// <param name="Dtype">Arithmetic of products with weights; in prefill and decoding also how the matrices are stored.</param>
internal sealed record ModelBenchRequest(
    InstalledArchitecture Installed, ModelConfig Config, string Mode, TrainingSettings Training, int Batch, int Length,
    torch.ScalarType Dtype)
{
    /// <summary>Whether the model is built in its packed form.</summary>
    public bool Packed { get; init; }
}
