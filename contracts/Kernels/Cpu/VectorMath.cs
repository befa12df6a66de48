using System.Runtime.CompilerServices;

namespace Zoo.Kernels.Cpu;

/// <summary>Elementary functions on vectors, for kernels. The errors stated are measured against float64 by `VectorMathTests`.</summary>
public static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float Ln2High = 0.693359375f;        // few bits, so that a product with a small whole number is exact
    private const float Ln2Low = -2.12194440e-4f;
    private const float Sqrt2 = 1.41421356f;

    // 2^f for f in [-1/2, 1/2], by rising powers
    private const float Exp2P1 = 6.931472028550421e-1f, Exp2P2 = 2.402264791363012e-1f, Exp2P3 = 5.550332471162809e-2f;
    private const float Exp2P4 = 9.618437357674640e-3f, Exp2P5 = 1.339887440266574e-3f, Exp2P6 = 1.535336188319500e-4f;

    // Added to it, a number below 2^22 is rounded, and stands in the lowest bits.
    private const float Rounder = 12582912f;

    /// <summary>
    /// 2^x for every x, the cheapest exponential: at most 1.2 ulp where the result is normal, infinity from 128 on, between 0 and 2^-126 below
    /// the normal range.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<V>(V x)
        where V : struct, ILanes<V>
    {
        // At both bounds 2^f is 1, and adding to its exponent makes exactly zero or infinity of it.
        x = V.Min(V.Create(128), V.Max(V.Create(-127), x));    // of a constant and NaN the second is taken, so NaN stays
        var biased = x + V.Create(Rounder);
        var f = x - (biased - V.Create(Rounder));              // [-1/2, 1/2]
        var p = V.MultiplyAdd(V.Create(Exp2P6), f, V.Create(Exp2P5));
        p = V.MultiplyAdd(p, f, V.Create(Exp2P4));
        p = V.MultiplyAdd(p, f, V.Create(Exp2P3));
        p = V.MultiplyAdd(p, f, V.Create(Exp2P2));
        p = V.MultiplyAdd(p, f, V.Create(Exp2P1));
        p = V.MultiplyAdd(p, f, V.Create(1));
        return V.AddToExponent(p, biased);
    }

    /// <summary><see cref="Exp2{V}(V)"/> of four vectors, step by step side by side: a processor sees only so far ahead in one chain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exp2<V>(ref V a, ref V b, ref V c, ref V d)
        where V : struct, ILanes<V>
    {
        V low = V.Create(-127), high = V.Create(128);
        (a, b, c, d) = (V.Max(low, a), V.Max(low, b), V.Max(low, c), V.Max(low, d));
        (a, b, c, d) = (V.Min(high, a), V.Min(high, b), V.Min(high, c), V.Min(high, d));
        Exp2Within(ref a, ref b, ref c, ref d);
    }

    /// <summary>
    /// <see cref="Exp2{V}(ref V, ref V, ref V, ref V)"/> for a caller who knows that every |x| is at most 126: the same numbers with a sixth less
    /// work. NaN stays NaN; anything may come of other numbers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Exp2Within<V>(ref V a, ref V b, ref V c, ref V d)
        where V : struct, ILanes<V>
    {
        var rounder = V.Create(Rounder);
        V na = a + rounder, nb = b + rounder, nc = c + rounder, nd = d + rounder;
        V fa = a - (na - rounder), fb = b - (nb - rounder), fc = c - (nc - rounder), fd = d - (nd - rounder);
        V p = V.Create(Exp2P6), q = V.Create(Exp2P5);
        (a, b, c, d) = (V.MultiplyAdd(p, fa, q), V.MultiplyAdd(p, fb, q), V.MultiplyAdd(p, fc, q), V.MultiplyAdd(p, fd, q));
        q = V.Create(Exp2P4);
        (a, b, c, d) = (V.MultiplyAdd(a, fa, q), V.MultiplyAdd(b, fb, q), V.MultiplyAdd(c, fc, q), V.MultiplyAdd(d, fd, q));
        q = V.Create(Exp2P3);
        (a, b, c, d) = (V.MultiplyAdd(a, fa, q), V.MultiplyAdd(b, fb, q), V.MultiplyAdd(c, fc, q), V.MultiplyAdd(d, fd, q));
        q = V.Create(Exp2P2);
        (a, b, c, d) = (V.MultiplyAdd(a, fa, q), V.MultiplyAdd(b, fb, q), V.MultiplyAdd(c, fc, q), V.MultiplyAdd(d, fd, q));
        q = V.Create(Exp2P1);
        (a, b, c, d) = (V.MultiplyAdd(a, fa, q), V.MultiplyAdd(b, fb, q), V.MultiplyAdd(c, fc, q), V.MultiplyAdd(d, fd, q));
        q = V.Create(1);
        (a, b, c, d) = (V.MultiplyAdd(a, fa, q), V.MultiplyAdd(b, fb, q), V.MultiplyAdd(c, fc, q), V.MultiplyAdd(d, fd, q));
        (a, b, c, d) = (V.AddToExponent(a, na), V.AddToExponent(b, nb), V.AddToExponent(c, nc), V.AddToExponent(d, nd));
    }

    /// <summary>
    /// 2^x of two, turn by turn, for x up to 126, with fewer steps that wait for each other: at most 1.2 ulp where the result is normal (1.5 without fused multiply-add), between 0 and 2^-126
    /// below the normal range, NaN at NaN. Anything may come of larger numbers.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Exp2OfFew<V>(ref V x, ref V y)
        where V : struct, ILanes<V>
    {
        V low = V.Create(-127), rounder = V.Create(Rounder);
        (x, y) = (V.Max(low, x), V.Max(low, y));        // of a constant and NaN the second is taken, so NaN stays
        V nx = x + rounder, ny = y + rounder;
        V fx = x - (nx - rounder), fy = y - (ny - rounder);
        V squareX = fx * fx, squareY = fy * fy;
        V highX = V.MultiplyAdd(fx, V.Create(Exp2P5), V.Create(Exp2P4)), highY = V.MultiplyAdd(fy, V.Create(Exp2P5), V.Create(Exp2P4));
        V middleX = V.MultiplyAdd(fx, V.Create(Exp2P3), V.Create(Exp2P2)), middleY = V.MultiplyAdd(fy, V.Create(Exp2P3), V.Create(Exp2P2));
        V lowX = V.MultiplyAdd(fx, V.Create(Exp2P1), V.Create(1)), lowY = V.MultiplyAdd(fy, V.Create(Exp2P1), V.Create(1));
        highX = V.MultiplyAdd(squareX, V.Create(Exp2P6), highX);
        highY = V.MultiplyAdd(squareY, V.Create(Exp2P6), highY);
        middleX = V.MultiplyAdd(highX, squareX, middleX);
        middleY = V.MultiplyAdd(highY, squareY, middleY);
        x = V.AddToExponent(V.MultiplyAdd(middleX, squareX, lowX), nx);
        y = V.AddToExponent(V.MultiplyAdd(middleY, squareY, lowY), ny);
    }

    /// <summary>e^x for every x: 0 at -infinity, NaN at NaN, infinity from 88.73 on; at most 1.1 ulp where the result is normal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, ILanes<V>
    {
        x = V.Min(V.Create(89), V.Max(V.Create(-104), x));     // of a constant and NaN the second is taken, so NaN stays
        var whole = V.Round(x * V.Create(Log2E));
        var r = V.MultiplyAdd(whole, V.Create(-Ln2High), x);
        r = V.MultiplyAdd(whole, V.Create(-Ln2Low), r);        // [-ln 2 / 2, ln 2 / 2]
        var p = V.Create(1.9875691500e-4f);
        p = V.MultiplyAdd(p, r, V.Create(1.3981999507e-3f));
        p = V.MultiplyAdd(p, r, V.Create(8.3334519073e-3f));
        p = V.MultiplyAdd(p, r, V.Create(4.1665795894e-2f));
        p = V.MultiplyAdd(p, r, V.Create(1.6666665459e-1f));
        p = V.MultiplyAdd(p, r, V.Create(5.0000001201e-1f));
        p = V.MultiplyAdd(p, r * r, r) + V.Create(1);
        return V.Scale(p, whole);
    }

    /// <summary>
    /// e^x with x held between -87 and 87, so that neither the result nor 1 + the result leaves the normal range; NaN at NaN. At most 2.7 ulp for
    /// |x| &lt; 8, 19.5 ulp at the ends; without fused multiply-add 7.8 and 63.2. Half the work of <see cref="Exp"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V ExpBounded<V>(V x)
        where V : struct, ILanes<V>
    {
        x = V.Min(V.Create(87), V.Max(V.Create(-87), x));
        var biased = V.MultiplyAdd(x, V.Create(Log2E), V.Create(Rounder));
        var f = V.MultiplyAdd(x, V.Create(Log2E), V.Create(Rounder) - biased);        // [-1/2, 1/2]
        var square = f * f;
        var low = V.MultiplyAdd(f, V.Create(Exp2P1), V.Create(1));
        var middle = V.MultiplyAdd(f, V.Create(Exp2P3), V.Create(Exp2P2));
        var high = V.MultiplyAdd(f, V.Create(Exp2P5), V.Create(Exp2P4));
        high = V.MultiplyAdd(square, V.Create(Exp2P6), high);
        return V.AddToExponent(V.MultiplyAdd(V.MultiplyAdd(high, square, middle), square, low), biased);
    }

    /// <summary>
    /// <see cref="ExpBounded{V}(V)"/> of two, turn by turn: each step of one waits for the step before, and the other fills the time.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ExpBounded<V>(V x, V y, out V expX, out V expY)
        where V : struct, ILanes<V>
    {
        x = V.Min(V.Create(87), V.Max(V.Create(-87), x));
        y = V.Min(V.Create(87), V.Max(V.Create(-87), y));
        var biasedX = V.MultiplyAdd(x, V.Create(Log2E), V.Create(Rounder));
        var biasedY = V.MultiplyAdd(y, V.Create(Log2E), V.Create(Rounder));
        x = V.MultiplyAdd(x, V.Create(Log2E), V.Create(Rounder) - biasedX);
        y = V.MultiplyAdd(y, V.Create(Log2E), V.Create(Rounder) - biasedY);
        var squareX = x * x;
        var squareY = y * y;
        var highX = V.MultiplyAdd(x, V.Create(Exp2P5), V.Create(Exp2P4));
        var highY = V.MultiplyAdd(y, V.Create(Exp2P5), V.Create(Exp2P4));
        var middleX = V.MultiplyAdd(x, V.Create(Exp2P3), V.Create(Exp2P2));
        var middleY = V.MultiplyAdd(y, V.Create(Exp2P3), V.Create(Exp2P2));
        highX = V.MultiplyAdd(squareX, V.Create(Exp2P6), highX);
        highY = V.MultiplyAdd(squareY, V.Create(Exp2P6), highY);
        var lowX = V.MultiplyAdd(x, V.Create(Exp2P1), V.Create(1));
        var lowY = V.MultiplyAdd(y, V.Create(Exp2P1), V.Create(1));
        middleX = V.MultiplyAdd(highX, squareX, middleX);
        middleY = V.MultiplyAdd(highY, squareY, middleY);
        expX = V.AddToExponent(V.MultiplyAdd(middleX, squareX, lowX), biasedX);
        expY = V.AddToExponent(V.MultiplyAdd(middleY, squareY, lowY), biasedY);
    }

    /// <summary>Natural logarithm of normal positive x: at most 0.8 ulp away from 1, at most 1e-7 absolute near it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log<V>(V x)
        where V : struct, ILanes<V>
    {
        var exponent = V.Exponent(x);
        var m = V.Mantissa(x);                                                   // [1, 2) to [sqrt 1/2, sqrt 2)
        exponent = V.WhereGreater(m, V.Create(Sqrt2), exponent + V.Create(1), exponent);
        m = V.WhereGreater(m, V.Create(Sqrt2), m * V.Create(0.5f), m);
        var f = m - V.Create(1);
        var p = V.Create(7.0376836292e-2f);
        p = V.MultiplyAdd(p, f, V.Create(-1.1514610310e-1f));
        p = V.MultiplyAdd(p, f, V.Create(1.1676998740e-1f));
        p = V.MultiplyAdd(p, f, V.Create(-1.2420140846e-1f));
        p = V.MultiplyAdd(p, f, V.Create(1.4249322787e-1f));
        p = V.MultiplyAdd(p, f, V.Create(-1.6668057665e-1f));
        p = V.MultiplyAdd(p, f, V.Create(2.0000714765e-1f));
        p = V.MultiplyAdd(p, f, V.Create(-2.4999993993e-1f));
        p = V.MultiplyAdd(p, f, V.Create(3.3333331174e-1f));
        var square = f * f;
        var low = V.MultiplyAdd(exponent, V.Create(Ln2Low), p * f * square);
        low = V.MultiplyAdd(square, V.Create(-0.5f), low);
        return V.MultiplyAdd(exponent, V.Create(Ln2High), f + low);
    }

    /// <summary>log(1 + x) for x from 0 on: at most 1.2 ulp.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Log1P<V>(V x)
        where V : struct, ILanes<V>
    {
        var sum = x + V.Create(1);
        return Log(sum) + (x - (sum - V.Create(1))) / sum;     // what rounding the sum lost, to first order
    }

    /// <summary>1 / (1 + e^-x) for every x: at most 2.4 ulp where the result is normal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x)
        where V : struct, ILanes<V> => V.Create(1) / (V.Create(1) + Exp(-x));

    /// <summary>x · sigmoid(x) for finite x: at most 2.4 ulp where the result is normal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Silu<V>(V x)
        where V : struct, ILanes<V> => x / (V.Create(1) + Exp(-x));

    /// <summary>
    /// <see cref="Silu{V}"/> by <see cref="ExpBounded{V}(V)"/>: half the work, and the same but where |x| is large and the result, against |x|, is not.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SiluBounded<V>(V x)
        where V : struct, ILanes<V> => x / (V.Create(1) + ExpBounded(-x));

    /// <summary>The derivative of x · σ(x), σ (1 + x (1 - σ)), likewise; 1 - σ is e^-x σ, which does not cancel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V SiluSlope<V>(V x)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        var e = ExpBounded(-x);
        var sigmoid = one / (one + e);
        return sigmoid * V.MultiplyAdd(x, e * sigmoid, one);
    }

    /// <summary>log(1 + e^x) for finite x: at most 1.9 ulp where the result is normal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Softplus<V>(V x)
        where V : struct, ILanes<V> => V.Max(x, V.Zero) + Log1P(Exp(-V.Abs(x)));

    /// <summary>Hyperbolic tangent for every x: at most 1.3 ulp, 1.7 without fused multiply-add.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x)
        where V : struct, ILanes<V> => Tanh(x, ExpBounded(V.Create(-2) * V.Abs(x)));

    /// <summary><see cref="Tanh{V}(V)"/> where <paramref name="e"/>, which is e^(-2|x|), bounded, is known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x, V e)
        where V : struct, ILanes<V>
    {
        var square = x * x;
        var p = V.Create(-5.70498872745e-3f);
        p = V.MultiplyAdd(p, square, V.Create(2.06390887954e-2f));
        p = V.MultiplyAdd(p, square, V.Create(-5.37397155531e-2f));
        p = V.MultiplyAdd(p, square, V.Create(1.33314442036e-1f));
        p = V.MultiplyAdd(p, square, V.Create(-3.33332819422e-1f));
        var near = V.MultiplyAdd(p * square, x, x);
        var far = V.Create(1) - (e + e) / (V.Create(1) + e);
        far = V.WhereGreater(V.Zero, x, -far, far);
        return V.WhereGreater(V.Abs(x), V.Create(0.625f), far, near);
    }
}
