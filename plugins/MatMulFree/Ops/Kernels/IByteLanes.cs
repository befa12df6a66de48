namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>A vector of bytes that meet in fours: one integer for four products.</summary>
/// <typeparam name="B">The implementing type.</typeparam>
internal unsafe interface IByteLanes<B>
    where B : struct, IByteLanes<B>
{
    /// <summary>How many 32-bit numbers it holds.</summary>
    static abstract int Count { get; }

    static abstract B Zero { get; }

    static abstract B Load(void* source);

    /// <summary>The same four bytes everywhere.</summary>
    static abstract B Spread(sbyte* four);

    /// <summary>Sums of two neighbouring products, 16 bits each: <paramref name="codes"/> unsigned, <paramref name="values"/> signed. Must not overflow.</summary>
    static abstract B PairSums(B codes, B values);

    /// <summary>a + b in 16 bits.</summary>
    static abstract B AddShorts(B a, B b);

    /// <summary>a + b in 32 bits.</summary>
    static abstract B AddIntegers(B a, B b);

    /// <summary>Sums of two neighbouring 16-bit numbers, 32 bits each.</summary>
    static abstract B Widen(B shorts);

    /// <summary>(integers - shift) as floats, times <paramref name="factor"/>.</summary>
    static abstract void StoreScaled(B integers, int shift, float factor, float* target);
}
