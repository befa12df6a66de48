namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>
/// From the whole number that a product of 8-bit activations and ternary weights is to the float32 number that it means. Training, packed
/// inference and every backend go through these lines, so that they give the same bits.
/// </summary>
/// <remarks>
/// x ≈ x_int8 / x_scale and w ≈ w_ternary · w_scale, so x wᵀ ≈ (x_int8 w_ternaryᵀ) · (w_scale / x_scale): one division a token, one product an
/// output, and then one addition where there is a bias; none of them fused with another. The sum is exact below 2^24, in int32 or float32.
/// </remarks>
internal static class TernaryScale
{
    /// <summary>What a token's sums are multiplied by.</summary>
    /// <param name="weightScale">w_scale of the matrix: <see cref="WeightScale"/>.</param>
    /// <param name="activationScale">x_scale of the token: 127 over its largest magnitude.</param>
    public static float Factor(float weightScale, float activationScale) => weightScale / activationScale;

    /// <summary>One output.</summary>
    /// <param name="sum">Σ x_int8 w_ternary.</param>
    /// <param name="factor"><see cref="Factor"/>.</param>
    public static float Apply(int sum, float factor) => sum * factor;
}
