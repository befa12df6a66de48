using TorchSharp;

namespace Zoo.Architectures;

/// <summary>What a model gives for a batch. The caller owns both tensors.</summary>
/// <param name="Outputs">Logits or other outputs that the task's metrics read; its kind says the shape.</param>
/// <param name="Loss">The mean loss over the batch's targets, a scalar.</param>
public readonly record struct ModelOutput(torch.Tensor Outputs, torch.Tensor Loss);
