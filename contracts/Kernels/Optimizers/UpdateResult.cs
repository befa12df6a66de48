namespace Zoo.Kernels;

/// <summary>What an update of many tensors gave.</summary>
/// <param name="GradientNorm">
/// The norm over all gradients together, before clipping; null where it was not asked for. Where it is not finite, nothing was updated.
/// </param>
/// <param name="Backend">"reference", "cpu" or "cuda".</param>
public sealed record UpdateResult(double? GradientNorm, string Backend);
