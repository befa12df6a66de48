using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>y = x Φ(x).</summary>
/// <remarks>
/// For x below zero Φ(x) = e^(-x²/2) t P(t) with t = 1 / (1 + 0.26 |x|), a form of the complementary error function that keeps its relative
/// precision far out; above zero it is 1 minus that. P is our Chebyshev fit of degree 8 over |x| up to 14, within 8.1e-9. Both
/// Φ and its derivative need the one exponential. P is summed by pairs of terms, pairs of pairs and so on: a third of the steps that wait for each other.
/// </remarks>
internal readonly struct NormalGelu : IGeluForm
{
    private const float RootOfTwoPi = 0.3989422804f;    // 1 / √(2π)

    // P by rising powers
    private const float P0 = 0.1037688539f, P1 = 0.1028449788f, P2 = 0.1042917848f, P3 = 0.04595599947f, P4 = 0.173176696f;
    private const float P5 = -0.169100441f, P6 = 0.2677312319f, P7 = -0.1608581603f, P8 = 0.0321890587f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Values<V>(ref V a, ref V b)
        where V : struct, ILanes<V>
    {
        Distributions(a, b, out var distributionA, out var distributionB, out _, out _);
        a *= distributionA;
        b *= distributionB;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<V>(ref V a, ref V b)
        where V : struct, ILanes<V>
    {
        Distributions(a, b, out var distributionA, out var distributionB, out var exponentialA, out var exponentialB);
        a = V.MultiplyAdd(a * V.Create(RootOfTwoPi), exponentialA, distributionA);
        b = V.MultiplyAdd(b * V.Create(RootOfTwoPi), exponentialB, distributionB);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ValuesAndSlopes<V>(ref V a, ref V b, out V slopeA, out V slopeB)
        where V : struct, ILanes<V>
    {
        Distributions(a, b, out var distributionA, out var distributionB, out var exponentialA, out var exponentialB);
        slopeA = V.MultiplyAdd(a * V.Create(RootOfTwoPi), exponentialA, distributionA);
        slopeB = V.MultiplyAdd(b * V.Create(RootOfTwoPi), exponentialB, distributionB);
        a *= distributionA;
        b *= distributionB;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Distributions<V>(V a, V b, out V distributionA, out V distributionB, out V exponentialA, out V exponentialB)
        where V : struct, ILanes<V>
    {
        V one = V.Create(1), half = V.Create(-0.5f);
        V ta = one / V.MultiplyAdd(V.Abs(a), V.Create(0.26f), one), tb = one / V.MultiplyAdd(V.Abs(b), V.Create(0.26f), one);
        VectorMath.ExpBounded(a * a * half, b * b * half, out exponentialA, out exponentialB);
        V squareA = ta * ta, squareB = tb * tb;
        V lowA = V.MultiplyAdd(ta, V.Create(P1), V.Create(P0)), lowB = V.MultiplyAdd(tb, V.Create(P1), V.Create(P0));
        V nextA = V.MultiplyAdd(ta, V.Create(P3), V.Create(P2)), nextB = V.MultiplyAdd(tb, V.Create(P3), V.Create(P2));
        V highA = V.MultiplyAdd(ta, V.Create(P7), V.Create(P6)), highB = V.MultiplyAdd(tb, V.Create(P7), V.Create(P6));
        V middleA = V.MultiplyAdd(ta, V.Create(P5), V.Create(P4)), middleB = V.MultiplyAdd(tb, V.Create(P5), V.Create(P4));
        highA = V.MultiplyAdd(squareA, V.Create(P8), highA);
        highB = V.MultiplyAdd(squareB, V.Create(P8), highB);
        lowA = V.MultiplyAdd(nextA, squareA, lowA);
        lowB = V.MultiplyAdd(nextB, squareB, lowB);
        highA = V.MultiplyAdd(highA, squareA, middleA);
        highB = V.MultiplyAdd(highB, squareB, middleB);
        lowA = V.MultiplyAdd(highA, squareA * squareA, lowA);
        lowB = V.MultiplyAdd(highB, squareB * squareB, lowB);
        V tailA = exponentialA * ta * lowA, tailB = exponentialB * tb * lowB;
        distributionA = V.WhereGreater(a, V.Zero, one - tailA, tailA);
        distributionB = V.WhereGreater(b, V.Zero, one - tailB, tailB);
    }
}
