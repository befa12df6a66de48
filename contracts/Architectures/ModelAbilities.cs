namespace Zoo.Architectures;

/// <summary>What a model can do, and promises exactly; `zoo verify` checks each.</summary>
[Flags]
public enum ModelAbilities
{
    /// <summary>The whole-input form only.</summary>
    None = 0,

    /// <summary>A step form whose outputs equal the whole-sequence form's.</summary>
    Step = 1,

    /// <summary>A chunkwise form whose outputs equal the whole-sequence form's.</summary>
    Chunk = 2,

    /// <summary>The step form's memory does not grow with the tokens seen.</summary>
    ConstantMemoryStep = 4,

    /// <summary>Outputs at a time do not depend on later inputs, nor on other sequences of the batch. What a token model would make of padding is then not computed.</summary>
    Causal = 8,

    /// <summary>
    /// Products with weights go through <see cref="MixedPrecision"/>, so that it trains and runs in bfloat16; outputs then equal float32's but
    /// for bfloat16's rounding.
    /// </summary>
    BFloat16 = 16,

    /// <summary>
    /// Its weights have a smaller form that it computes with (<see cref="BuildContext.Packed"/>, <see cref="IPackedWeights"/>), and gives the same
    /// outputs, bit for bit.
    /// </summary>
    Packed = 32,
}
