using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.MinRnn;

/// <summary>Dropout whose choices follow from the model's own random numbers, so that a resumed run draws what it would have drawn.</summary>
internal static class Dropout
{
    /// <summary>Zeroes elements with probability <paramref name="share"/> and scales the others up.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="share">From 0 to below 1.</param>
    /// <param name="random">Null in evaluation: nothing is dropped.</param>
    public static Tensor Apply(Tensor x, double share, CounterRandom? random) =>
        random is null || share == 0 ? x : x * Mask(x, 1 - share, random, 1 / (1 - share));

    /// <summary><paramref name="scale"/> with probability <paramref name="kept"/>, elsewhere 0; of the shape of <paramref name="like"/>.</summary>
    public static Tensor Mask(Tensor like, double kept, CounterRandom random, double scale)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var generator = new Generator(random.NextUInt64());   // TorchSharp makes none for a card: it is drawn on the CPU, the same everywhere
        using Scalar factor = scale;
        var mask = empty(like.shape, like.dtype).bernoulli_(kept, generator);
        return mask.mul_(factor).to(like.device).MoveToOuterDisposeScope();
    }
}
