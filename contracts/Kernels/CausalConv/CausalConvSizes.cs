namespace Zoo.Kernels;

/// <summary>Sizes of one call, and where the inputs of a sequence lie.</summary>
/// <param name="Length">Time steps.</param>
/// <param name="Dims">Dimensions.</param>
/// <param name="Width">Inputs that an output looks at.</param>
/// <param name="Silu">Whether SiLU follows.</param>
internal readonly record struct CausalConvSizes(int Length, int Dims, int Width, bool Silu)
{
    /// <summary>The row of the input at step <paramref name="time"/>, which is before the first step where it is negative; null where that is zero.</summary>
    public unsafe float* Row(float* x, float* initial, int batch, int time) =>
        time >= 0 ? x + ((long)batch * Length + time) * Dims
        : initial == null ? null : initial + ((long)batch * Width + Width + time) * Dims;
}
