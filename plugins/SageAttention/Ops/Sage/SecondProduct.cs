namespace Zoo.SageAttention.Ops.Sage;

/// <summary>How the second product's factors, weights and values, are rounded.</summary>
internal enum SecondProduct
{
    /// <summary>The backend's own choice: float32 in the reference, what is fastest in a kernel, and never coarser than FP8 E4M3.</summary>
    Auto,

    /// <summary>Not at all.</summary>
    Float32,

    /// <summary>Weights and values to float16.</summary>
    Float16,

    /// <summary>Weights and values to bfloat16.</summary>
    BFloat16,

    /// <summary>FP8 E4M3: weights times 448; values with a scale for each channel.</summary>
    E4M3,

    /// <summary>FP8 E5M2: weights times 57,344; values with a scale for each channel.</summary>
    E5M2,

    /// <summary>8-bit integers: weights times 127; values with a scale for each channel.</summary>
    Int8,
}
