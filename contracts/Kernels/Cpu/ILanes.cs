using System.Numerics;
using System.Runtime.Intrinsics;

namespace Zoo.Kernels.Cpu;

/// <summary>
/// A vector of float32 as wide as the machine has it. Kernels are written once over it; the runtime compiles each for 512, 256 and 128 bits,
/// and <see cref="Simd"/> chooses one.
/// </summary>
/// <typeparam name="V">The implementing type.</typeparam>
public unsafe interface ILanes<V> :
    IAdditionOperators<V, V, V>, ISubtractionOperators<V, V, V>, IMultiplyOperators<V, V, V>, IDivisionOperators<V, V, V>,
    IUnaryNegationOperators<V, V>
    where V : struct, ILanes<V>
{
    /// <summary>How many numbers it holds.</summary>
    static abstract int Count { get; }

    /// <summary>All zero.</summary>
    static abstract V Zero { get; }

    /// <summary>The same number everywhere.</summary>
    static abstract V Create(float value);

    /// <summary>The numbers from <paramref name="source"/> on.</summary>
    static abstract V Load(float* source);

    /// <summary>The first <paramref name="count"/> numbers from <paramref name="source"/> on, and zeros; reads nothing beyond.</summary>
    static abstract V LoadPartial(float* source, int count);

    /// <summary>The bfloat16 numbers from <paramref name="source"/> on.</summary>
    static abstract V LoadBFloat16(ushort* source);

    /// <summary>Writes all of them.</summary>
    void Store(float* target);

    /// <summary>Writes all of them as bfloat16, rounded to nearest, halves to even; NaN stays NaN.</summary>
    void StoreBFloat16(ushort* target);

    /// <summary>Writes the first <paramref name="count"/>, and nothing beyond.</summary>
    void StorePartial(float* target, int count);

    /// <summary>a·b + c, rounded once where the machine can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>sum = a·b + sum: the same as <see cref="MultiplyAdd"/>, for inner loops, which the compiler spares the moves between registers here.</summary>
    static abstract void AddProduct(V a, V b, ref V sum);

    /// <summary>The larger of each pair; of a number and NaN, which one is left to the machine.</summary>
    static abstract V Max(V a, V b);

    /// <summary>The smaller of each pair, likewise.</summary>
    static abstract V Min(V a, V b);

    /// <summary>Without signs.</summary>
    static abstract V Abs(V a);

    /// <summary>Square roots, correctly rounded.</summary>
    static abstract V Sqrt(V a);

    /// <summary>Nearest whole numbers, halves to even.</summary>
    static abstract V Round(V a);

    /// <summary>a·2^n for whole n; zero or denormal below the normal range, infinity above it.</summary>
    static abstract V Scale(V a, V n);

    /// <summary>
    /// a·2^n where <paramref name="biased"/> is n + 1.5·2^23, n whole: n is added to the exponent's bits, whatever comes of it. Cheaper than
    /// <see cref="Scale"/>; right where a and the result are normal.
    /// </summary>
    static abstract V AddToExponent(V a, V biased);

    /// <summary>Where a &gt; b the first choice, elsewhere (and at NaN) the second.</summary>
    static abstract V WhereGreater(V a, V b, V then, V otherwise);

    /// <summary>Of each four neighbours the one at <paramref name="which"/>, a constant from 0 to 3, in the place of all four.</summary>
    static abstract V RepeatInFours(V a, int which);

    /// <summary>Exponent of each number, as a whole number: floor(log2 |a|), for normal a.</summary>
    static abstract V Exponent(V a);

    /// <summary>Mantissa of each number, in [1, 2), for normal positive a.</summary>
    static abstract V Mantissa(V a);

    /// <summary>The sum of all, in a fixed order.</summary>
    static abstract float Sum(V a);

    /// <summary>The sums of four vectors, in a fixed order: cheaper than four times <see cref="Sum"/>.</summary>
    static abstract Vector128<float> Sums(V a, V b, V c, V d);

    /// <summary>The largest of all; where one is NaN, which one is left to the machine.</summary>
    static abstract float MaxOf(V a);
}
