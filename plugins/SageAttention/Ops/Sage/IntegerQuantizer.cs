using TorchSharp;
using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Queries and keys as integers with a scale a group, number by number as upstream's kernels reckon in float32.</summary>
internal static class IntegerQuantizer
{
    private const float Epsilon = 1e-7f;

    /// <summary>Quantises.</summary>
    /// <param name="x">[batch, head, token, dim].</param>
    /// <param name="groups">Which tokens share a scale.</param>
    /// <param name="rule">How.</param>
    /// <returns>Integers of x's shape, and scales, [batch, head, group]; a group of zeros has zeros.</returns>
    public static (Tensor Integers, Tensor Scale) Quantize(Tensor x, TokenGroups groups, QuantizationRule rule)
    {
        using var scope = NewDisposeScope();
        var length = x.shape[2];
        var perToken = x.shape[3] == 0 ? x.new_zeros(x.shape[..3]) : x.abs().amax([-1]);
        var largest = groups.Largest(perToken);
        // Divisors are tensors: a division by a number may become a product with its inverse, which rounds otherwise.
        Tensor levels = full_like(largest, rule.Levels), epsilon = full_like(largest, Epsilon);
        if (rule.Scale == ScaleRule.Floored)
            largest = largest.maximum(epsilon);
        var scale = largest / levels;
        if (rule.Scale == ScaleRule.AddedEpsilon)
            scale += epsilon;
        var scaled = rule.Scale == ScaleRule.Floored
            ? x * groups.Spread(levels / largest, length).unsqueeze(-1)
            : x / groups.Spread(scale, length).unsqueeze(-1);
        using Scalar half = 0.5, most = rule.Levels, least = -rule.Levels;
        var whole = rule.HalfToEven ? scaled.round() : (scaled + scaled.sign() * half).trunc();
        var integers = whole.nan_to_num(0).clamp(least, most).to(ScalarType.Int8);
        return (integers.MoveToOuterDisposeScope(), scale.MoveToOuterDisposeScope());
    }
}
