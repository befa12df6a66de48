using System.Runtime.Intrinsics;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>
/// A vector of bytes, also read as whole numbers of 16 and 32 bits, as wide as the machine has it: what `ILanes` is for float32. Products of
/// packed and of unpacked weights are written once over it.
/// </summary>
/// <typeparam name="V">The implementing type.</typeparam>
internal unsafe interface IByteLanes<V>
    where V : struct, IByteLanes<V>
{
    /// <summary>How many bytes it holds.</summary>
    static abstract int Count { get; }

    /// <summary>All zero.</summary>
    static abstract V Zero { get; }

    /// <summary>The same byte everywhere.</summary>
    static abstract V Create(byte value);

    /// <summary>The same number of 16 bits everywhere.</summary>
    static abstract V Create(short value);

    /// <summary>The bytes from <paramref name="source"/> on.</summary>
    static abstract V Load(void* source);

    /// <summary>The same four bytes everywhere.</summary>
    static abstract V Spread(sbyte* four);

    /// <summary>The 32 bytes from <paramref name="source"/> on, and zeros; for vectors that hold more.</summary>
    static abstract V LoadBlock(void* source);

    /// <summary>Writes all of them.</summary>
    void Store(void* target);

    /// <summary>The bits that both have.</summary>
    static abstract V operator &(V a, V b);

    /// <summary>Each number of 16 bits shifted down.</summary>
    static abstract V ShiftRight(V a, int count);

    /// <summary>Adds numbers of 16 bits to these, in place: an assigned sum has the compiler move it between registers in each turn of a loop.</summary>
    void AccumulateInt16(V a);

    /// <summary>Sums of numbers of 16 bits.</summary>
    static abstract V AddInt16(V a, V b);

    /// <summary>Sums of numbers of 32 bits.</summary>
    static abstract V AddInt32(V a, V b);

    /// <summary>Products of unsigned and signed bytes, each added to its neighbour's: numbers of 16 bits, which must not overflow.</summary>
    static abstract V MultiplyBytes(V unsigned, V signed);

    /// <summary><see cref="MultiplyBytes"/> with signed bytes from memory, in one instruction where there is one.</summary>
    static abstract V MultiplyLoadedBytes(V unsigned, sbyte* signed);

    /// <summary>Products of numbers of 16 bits, each added to its neighbour's: numbers of 32 bits.</summary>
    static abstract V MultiplyInt16(V a, V b);

    /// <summary>Numbers of 32 bits less <paramref name="shift"/>, as floats, times <paramref name="factor"/>.</summary>
    static abstract void StoreScaled(V sums, int shift, float factor, float* target);

    /// <summary>The sums of four vectors of 32-bit numbers.</summary>
    static abstract Vector128<int> Sums(V a, V b, V c, V d);
}
