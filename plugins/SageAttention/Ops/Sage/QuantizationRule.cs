namespace Zoo.SageAttention.Ops.Sage;

/// <summary>How numbers become integers.</summary>
/// <param name="Bits">8 or 4.</param>
/// <param name="Scale">What the scale is.</param>
/// <param name="HalfToEven">Whether halves go to the even neighbour, or away from zero.</param>
internal readonly record struct QuantizationRule(int Bits, ScaleRule Scale, bool HalfToEven)
{
    /// <summary>The largest integer: 127 or 7.</summary>
    public int Levels => Bits == 8 ? 127 : 7;
}
