using TorchSharp;

namespace Zoo.Tasks;

/// <summary>Examples with their targets. Owns its tensors.</summary>
public abstract class Batch : IDisposable
{
    /// <summary>How many examples.</summary>
    public abstract int Count { get; }

    /// <summary>How many targets the loss is the mean of.</summary>
    public abstract long TargetCount { get; }

    /// <summary>The same batch on another device; this one stays as it is.</summary>
    public abstract Batch To(torch.Device device);

    /// <summary>A batch over the same memory; disposing one leaves the other.</summary>
    public abstract Batch Share();

    /// <summary>Frees the tensors.</summary>
    public abstract void Dispose();
}
