namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>How a call's attention is quantised, as its kernel reads it.</summary>
/// <param name="QueryGroups">Which queries share a scale.</param>
/// <param name="KeyGroups">Which keys share a scale.</param>
/// <param name="Rule">How they become integers.</param>
internal sealed record SagePlan(TokenGroups QueryGroups, TokenGroups KeyGroups, QuantizationRule Rule)
{
    /// <summary>What keeps scales from being zero in two of the rules.</summary>
    public const float Epsilon = 1e-7f;

    /// <summary>Whether keys are quantised without their mean over tokens.</summary>
    public bool SmoothsKeys { get; init; } = true;

    /// <summary>Whether the mean of each <see cref="QuantizedInputs.TokensOfMean"/> queries is taken off them, and given back to their scores.</summary>
    public bool SmoothsQueries { get; init; }

    /// <summary>Whether values are quantised without their mean over tokens.</summary>
    public bool SmoothsValues { get; init; }

    /// <summary>What queries are multiplied with before they are quantised.</summary>
    public float QueryFactor { get; init; } = 1;

    /// <summary>What scores are multiplied with after their scales, for a softmax in base 2.</summary>
    public float ScoreFactor { get; init; } = 1;

    /// <summary>What the scores of queries' means are multiplied with.</summary>
    public float CorrectionFactor { get; init; } = 1;

    /// <summary>Whether scores are products of bytes, as AVX-VNNI multiplies them, and not of int16. The same whole numbers come out.</summary>
    public bool MultipliesBytes { get; init; }

    /// <summary>To what a channel's largest value goes before it is rounded to FP8 E4M3; 0 where values are not.</summary>
    public float LargestFloat8 { get; init; }
}
