using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>A format of 8 bits with an exponent, in tensor operations: numbers rounded to its grid, halves to even, beyond its range to its ends.</summary>
/// <param name="fractionBits">Bits of the fraction.</param>
/// <param name="leastExponent">Exponent of the smallest normal number.</param>
/// <param name="largest">The largest number.</param>
internal sealed class Float8(int fractionBits, int leastExponent, double largest)
{
    /// <summary>4 bits of exponent, 3 of fraction.</summary>
    public static Float8 E4M3 { get; } = new(3, -6, 448);

    /// <summary>5 bits of exponent, 2 of fraction.</summary>
    public static Float8 E5M2 { get; } = new(2, -14, 57344);

    /// <summary>The largest number of the format.</summary>
    public double Largest => largest;

    /// <summary>The nearest number of the format.</summary>
    /// <param name="x">float32 or wider.</param>
    public Tensor Round(Tensor x)
    {
        using var scope = NewDisposeScope();
        var exponents = Math.ILogB(largest) - leastExponent + 1;
        var starts = tensor(Enumerable.Range(1, exponents - 1).Select(i => Math.ScaleB(1, leastExponent + i)).ToArray(), x.dtype, x.device);
        var steps = tensor(Enumerable.Range(0, exponents).Select(i => Math.ScaleB(1, leastExponent + i - fractionBits)).ToArray(), x.dtype, x.device);
        var magnitude = x.abs();
        var step = steps.index_select(0, bucketize(magnitude.flatten(), starts, right: true)).view(x.shape);
        using Scalar end = largest, start = -largest;
        return ((x / step).round() * step).clamp(start, end).MoveToOuterDisposeScope();   // steps are powers of two: only round() rounds
    }
}
