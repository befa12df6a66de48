using TorchSharp;

namespace Zoo.Tasks;

/// <summary>Sequences of vectors with their classes.</summary>
/// <param name="inputs">float32 [batch, time, dim].</param>
/// <param name="labels">int64 [batch].</param>
public sealed class VectorBatch(torch.Tensor inputs, torch.Tensor labels) : Batch
{
    /// <summary>float32 [batch, time, dim].</summary>
    public torch.Tensor Inputs { get; } = inputs;

    /// <summary>int64 [batch].</summary>
    public torch.Tensor Labels { get; } = labels;

    /// <inheritdoc/>
    public override int Count => (int)Labels.shape[0];

    /// <inheritdoc/>
    public override long TargetCount => Count;

    /// <inheritdoc/>
    public override Batch To(torch.Device device) => new VectorBatch(Inputs.to(device), Labels.to(device));

    /// <inheritdoc/>
    public override Batch Share() => new VectorBatch(Inputs.alias(), Labels.alias());

    /// <inheritdoc/>
    public override void Dispose()
    {
        Inputs.Dispose();
        Labels.Dispose();
    }
}
