namespace Zoo.SageAttention.Ops.Sage;

/// <summary>In what the second product is summed; the paper measured 22 bits (1 sign, 8 exponent, 13 fraction) in the tensor cores of FP8.</summary>
internal enum Accumulator
{
    /// <summary>float32.</summary>
    Float32,

    /// <summary>22 bits, over all keys.</summary>
    Fp22,

    /// <summary>22 bits within a block of keys, whose sum is added in float32: the paper's two levels.</summary>
    Fp22Flushed,
}
