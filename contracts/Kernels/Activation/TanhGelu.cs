using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>y = x/2 (1 + tanh u) = x sigmoid(2u), u = √(2/π) (x + 0.044715 x³).</summary>
internal readonly struct TanhGelu : IGeluForm
{
    private const float Slope2 = 1.5957691216f;         // 2 √(2/π)
    private const float Cubic = 0.044715f;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Values<V>(ref V a, ref V b)
        where V : struct, ILanes<V>
    {
        a *= VectorMath.Sigmoid(Doubled(a, a * a));
        b *= VectorMath.Sigmoid(Doubled(b, b * b));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Slopes<V>(ref V a, ref V b)
        where V : struct, ILanes<V>
    {
        ValuesAndSlopes(ref a, ref b, out var slopeA, out var slopeB);
        (a, b) = (slopeA, slopeB);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ValuesAndSlopes<V>(ref V a, ref V b, out V slopeA, out V slopeB)
        where V : struct, ILanes<V>
    {
        V x = a, y = b, squareX = x * x, squareY = y * y;
        VectorMath.ExpBounded(-V.Abs(Doubled(x, squareX)), -V.Abs(Doubled(y, squareY)), out var exponentialX, out var exponentialY);
        (a, slopeA) = ValueAndSlope(x, squareX, exponentialX);
        (b, slopeB) = ValueAndSlope(y, squareY, exponentialY);
    }

    /// <summary>With e = e^-|2u|: sigmoid is 1 / (1 + e) or e / (1 + e), and s (1 - s) is e / (1 + e)² without a difference that cancels.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (V Value, V Slope) ValueAndSlope<V>(V x, V square, V e)
        where V : struct, ILanes<V>
    {
        var larger = V.Create(1) / (V.Create(1) + e);
        var smaller = e * larger;
        var sigmoid = V.WhereGreater(x, V.Zero, larger, smaller);
        var inner = V.MultiplyAdd(square, V.Create(3 * Cubic * Slope2), V.Create(Slope2));
        return (x * sigmoid, V.MultiplyAdd(x * larger * smaller, inner, sigmoid));
    }

    /// <summary>2u.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Doubled<V>(V x, V square)
        where V : struct, ILanes<V> => x * V.MultiplyAdd(square, V.Create(Cubic * Slope2), V.Create(Slope2));
}
