using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>Values with a scale for each channel, for a second product of 8 bits.</summary>
internal static class ValueQuantizer
{
    private const int PaddedTokens = 16;    // upstream's kernel takes tokens by so many, and a mean's divisor counts them all

    /// <summary>The mean of each channel, as upstream's FP8 kernel has it: the divisor is the number of tokens up to a multiple of 16.</summary>
    /// <param name="v">[batch, head, token, dim].</param>
    /// <returns>[batch, head, dim].</returns>
    public static Tensor PaddedMean(Tensor v)
    {
        using var scope = NewDisposeScope();
        return (v.sum(2) / full([], Padded(v.shape[2]), v.dtype, v.device)).MoveToOuterDisposeScope();
    }

    /// <summary>Numbers of the format, absmax / largest for each channel the scale; a channel of zeros has zeros and the scale 0.</summary>
    /// <param name="v">[batch, head, token, dim].</param>
    /// <param name="mean">What is subtracted, [batch, head, dim]; null for nothing.</param>
    /// <param name="largest">To what the largest number of a channel goes.</param>
    /// <param name="round">To the format.</param>
    /// <returns>Of v's shape, on the format's grid; scales, [batch, head, dim].</returns>
    public static (Tensor Values, Tensor Scale) Quantize(Tensor v, Tensor? mean, double largest, Func<Tensor, Tensor> round)
    {
        using var scope = NewDisposeScope();
        var smoothed = mean is null ? v : v - mean.unsqueeze(2);
        var absolute = smoothed.shape[2] == 0 ? v.new_zeros([v.shape[0], v.shape[1], v.shape[3]]) : smoothed.abs().amax([2]);
        if (mean is not null && v.shape[2] % PaddedTokens != 0)
            absolute = absolute.maximum(mean.abs());                      // of the tokens that pad, 0 - mean
        var most = full_like(absolute, largest);
        var values = round(smoothed * (most / absolute).unsqueeze(2)).nan_to_num(0);
        return (values.MoveToOuterDisposeScope(), (absolute / most).MoveToOuterDisposeScope());
    }

    private static long Padded(long length) => (length + PaddedTokens - 1) / PaddedTokens * PaddedTokens;
}
