namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>How numbers become whole ones.</summary>
/// <param name="Levels">The largest whole number: 127 for INT8, 7 for INT4.</param>
/// <param name="Epsilon">Added to the scale.</param>
/// <param name="IsHalfToEven">
/// Scale max(absmax, 1e-7) / levels, x times levels / absmax, halves to even; else scale absmax / levels + ε, x / scale, halves away from zero.
/// </param>
internal readonly record struct SageRounding(int Levels, float Epsilon, bool IsHalfToEven);
