using TorchSharp;

namespace Zoo.Tasks;

/// <summary>Images with their classes.</summary>
/// <param name="images">float32 [batch, channel, height, width].</param>
/// <param name="labels">int64 [batch].</param>
public sealed class ImageBatch(torch.Tensor images, torch.Tensor labels) : Batch
{
    /// <summary>float32 [batch, channel, height, width].</summary>
    public torch.Tensor Images { get; } = images;

    /// <summary>int64 [batch].</summary>
    public torch.Tensor Labels { get; } = labels;

    /// <inheritdoc/>
    public override int Count => (int)Labels.shape[0];

    /// <inheritdoc/>
    public override long TargetCount => Count;

    /// <inheritdoc/>
    public override Batch To(torch.Device device) => new ImageBatch(Images.to(device), Labels.to(device));

    /// <inheritdoc/>
    public override Batch Share() => new ImageBatch(Images.alias(), Labels.alias());

    /// <inheritdoc/>
    public override void Dispose()
    {
        Images.Dispose();
        Labels.Dispose();
    }
}
