using static TorchSharp.torch;

namespace Zoo.SageAttention;

/// <summary>Dropout whose choices come from the model's own sequence of random numbers, so that a resumed run drops the same.</summary>
/// <param name="share">The share that is dropped, in (0, 1).</param>
/// <param name="randomness">The model's sequence.</param>
internal sealed class DropoutMask(double share, CounterRandom randomness)
{
    /// <summary>Zero for the share, and x / (1 - share) otherwise.</summary>
    public Tensor Drop(Tensor x)
    {
        var kept = (float)(1 / (1 - share));
        var mask = new float[x.numel()];
        for (var i = 0; i < mask.Length; i++)
            mask[i] = randomness.NextSingle() < share ? 0 : kept;
        using var factors = tensor(mask, x.shape, dtype: x.dtype, device: x.device);
        return x * factors;
    }
}
