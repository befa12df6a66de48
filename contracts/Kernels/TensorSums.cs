using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The sum of tensors for loops of many thousand steps.</summary>
/// <remarks>
/// TorchSharp's <c>a + b</c> makes a new <see cref="Scalar"/>, the factor 1 of b, that nothing holds while libtorch reads it: a collection of garbage in
/// between can free it under libtorch's hands, which a loop over 65,536 steps has met. This one is shared and never freed. (<c>a - b</c> has no such factor.)
/// </remarks>
public static class TensorSums
{
    private static readonly Scalar One = 1;

    /// <summary>a + b.</summary>
    /// <param name="a">Any shape.</param>
    /// <param name="b">A shape that broadcasts with a's.</param>
    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, One);
}
