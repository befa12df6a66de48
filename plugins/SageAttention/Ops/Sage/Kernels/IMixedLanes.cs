using System.Runtime.Intrinsics;

namespace Zoo.SageAttention.Ops.Sage.Kernels;

/// <summary>
/// A vector register read as float32, int32 or int16, whichever the operation says: quantised attention goes from one to the other all the time,
/// which <see cref="Zoo.Kernels.Cpu.ILanes{V}"/> has no words for.
/// </summary>
/// <typeparam name="L">The implementing type.</typeparam>
internal unsafe interface IMixedLanes<L>
    where L : struct, IMixedLanes<L>
{
    /// <summary>How many float32 or int32 it holds; twice as many int16.</summary>
    static abstract int Count { get; }

    /// <summary>All bits zero.</summary>
    static abstract L Zero { get; }

    /// <summary>The same float32 everywhere.</summary>
    static abstract L Create(float value);

    /// <summary>The same 32 bits everywhere: two int16, or one int32.</summary>
    static abstract L Create(int bits);

    /// <summary>As many bytes as it has, from <paramref name="source"/> on.</summary>
    static abstract L Load(void* source);

    /// <summary><see cref="Count"/> bytes from <paramref name="source"/> on, each an int8, as int32.</summary>
    static abstract L LoadInt8(sbyte* source);

    /// <summary>Writes all of it.</summary>
    void Store(void* target);

    /// <summary>Two vectors of int32 as one of int16, the low one first; what int16 does not hold saturates.</summary>
    static abstract L Pack(L low, L high);

    /// <summary>Whether <see cref="AddPairs"/> and <see cref="AddQuads"/> are one instruction: AVX-VNNI.</summary>
    static abstract bool AddsProducts { get; }

    /// <summary>a₀b₀ + a₁b₁ in each int32, of its two int16.</summary>
    static abstract L Pairs(L a, L b);

    /// <summary>sum + a₀b₀ + a₁b₁ in each int32, of its two int16: 16-bit products added by pairs.</summary>
    static abstract L AddPairs(L sum, L a, L b);

    /// <summary>sum + a₀b₀ + a₁b₁ + a₂b₂ + a₃b₃ in each int32, of its four bytes: those of a without a sign, those of b with one.</summary>
    static abstract L AddQuads(L sum, L a, L b);

    /// <summary>int32 + int32.</summary>
    static abstract L AddInt32(L a, L b);

    /// <summary>int32 · 2^count.</summary>
    static abstract L ShiftLeft(L a, int count);

    /// <summary>Bits of both.</summary>
    static abstract L And(L a, L b);

    /// <summary>Bits of either.</summary>
    static abstract L Or(L a, L b);

    /// <summary>int32 to float32.</summary>
    static abstract L ToSingle(L a);

    /// <summary>float32 to the nearest int32, halves to even; out of range anything.</summary>
    static abstract L ToInt32(L a);

    /// <summary>float32 to int32 without its fraction; out of range anything.</summary>
    static abstract L Truncate(L a);

    /// <summary>float32 a + b.</summary>
    static abstract L Add(L a, L b);

    /// <summary>float32 a - b.</summary>
    static abstract L Subtract(L a, L b);

    /// <summary>float32 a · b.</summary>
    static abstract L Multiply(L a, L b);

    /// <summary>float32 a / b.</summary>
    static abstract L Divide(L a, L b);

    /// <summary>float32 a · b + c, rounded once where the machine can.</summary>
    static abstract L MultiplyAdd(L a, L b, L c);

    /// <summary>The larger float32; with a NaN among them, the second.</summary>
    static abstract L Max(L a, L b);

    /// <summary>The largest float32 of all.</summary>
    static abstract float MaxOf(L a);

    /// <summary>The largest float32 of each of four: cheaper than four times <see cref="MaxOf(L)"/>.</summary>
    static abstract Vector128<float> MaxOf(L a, L b, L c, L d);

    /// <summary>The sum of all int32.</summary>
    static abstract int SumInt32(L a);

    /// <summary>The sum of all float32, in a fixed order.</summary>
    static abstract float SumOf(L a);
}
