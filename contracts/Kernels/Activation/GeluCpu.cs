using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>GELU in C#, one pass forward and one backward, which needs x alone.</summary>
internal sealed unsafe class GeluCpu : OpKernel
{
    public override string Backend => KernelChoice.Cpu;

    public override void Forward(OpCall call, KernelArrays arrays)
    {
        float* x = arrays["x"].Float32, y = arrays["y"].Float32;
        var tanh = Gelu.UsesTanh(call.Options);
        Elementwise.Share(arrays["x"].Length, (first, count) => Simd.Run(new Pass(tanh, x + first, null, y + first, count)));
    }

    public override void Backward(OpCall call, KernelArrays arrays)
    {
        if (arrays.Gradient("x") is not { IsPresent: true } target)
            return;
        if (!arrays.Gradient("y").IsPresent)
        {
            target.Span.Clear();
            return;
        }
        float* x = arrays["x"].Float32, gradY = arrays.Gradient("y").Float32, gradX = target.Float32;
        var tanh = Gelu.UsesTanh(call.Options);
        Elementwise.Share(target.Length, (first, count) => Simd.Run(new Pass(tanh, x + first, gradY + first, gradX + first, count)));
    }

    /// <summary>Some elements: y, or with the gradient of y that of x.</summary>
    private readonly struct Pass(bool tanh, float* x, float* gradY, float* target, int count) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            if (gradY == null)
            {
                if (tanh)
                    Forward<V, Tanh>(x, target, count);
                else
                    Forward<V, Normal>(x, target, count);
            }
            else if (tanh)
            {
                Backward<V, Tanh>(x, gradY, target, count);
            }
            else
            {
                Backward<V, Normal>(x, gradY, target, count);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Forward<V, F>(float* x, float* y, int count)
            where V : struct, ILanes<V>
            where F : struct, IForm
        {
            var i = 0;
            for (; i + 2 * V.Count <= count; i += 2 * V.Count)
            {
                V a = V.Load(x + i), b = V.Load(x + i + V.Count);
                F.Values(ref a, ref b);
                a.Store(y + i);
                b.Store(y + i + V.Count);
            }
            for (; i < count; i += V.Count)
            {
                var left = Math.Min(V.Count, count - i);
                V a = V.LoadPartial(x + i, left), b = a;
                F.Values(ref a, ref b);
                a.StorePartial(y + i, left);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Backward<V, F>(float* x, float* gradY, float* gradX, int count)
            where V : struct, ILanes<V>
            where F : struct, IForm
        {
            var i = 0;
            for (; i + 2 * V.Count <= count; i += 2 * V.Count)
            {
                V a = V.Load(x + i), b = V.Load(x + i + V.Count);
                F.Slopes(ref a, ref b);
                (V.Load(gradY + i) * a).Store(gradX + i);
                (V.Load(gradY + i + V.Count) * b).Store(gradX + i + V.Count);
            }
            for (; i < count; i += V.Count)
            {
                var left = Math.Min(V.Count, count - i);
                V a = V.LoadPartial(x + i, left), b = a;
                F.Slopes(ref a, ref b);
                (V.LoadPartial(gradY + i, left) * a).StorePartial(gradX + i, left);
            }
        }
    }

    /// <summary>
    /// A form of Φ, for two vectors at a time: in one by itself every operation waits for the one before, and the other fills the time.
    /// </summary>
    private interface IForm
    {
        /// <summary>y of each, in its place.</summary>
        static abstract void Values<V>(ref V a, ref V b)
            where V : struct, ILanes<V>;

        /// <summary>The derivative at each, in its place.</summary>
        static abstract void Slopes<V>(ref V a, ref V b)
            where V : struct, ILanes<V>;
    }

    /// <summary>y = x Φ(x).</summary>
    /// <remarks>
    /// For x below zero Φ(x) = e^(-x²/2) t P(t) with t = 1 / (1 + 0.26 |x|), a form of the complementary error function that keeps its relative
    /// precision far out; above zero it is 1 minus that. P is our Chebyshev fit of degree 8 over |x| up to 14, within 8.1e-9. Both
    /// Φ and its derivative need the one exponential. P is summed by pairs of terms, pairs of pairs and so on: a third of the steps that wait for each other.
    /// </remarks>
    private readonly struct Normal : IForm
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

    /// <summary>y = x/2 (1 + tanh u) = x sigmoid(2u), u = √(2/π) (x + 0.044715 x³).</summary>
    private readonly struct Tanh : IForm
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
            V squareA = a * a, squareB = b * b;
            VectorMath.ExpBounded(-V.Abs(Doubled(a, squareA)), -V.Abs(Doubled(b, squareB)), out var exponentialA, out var exponentialB);
            a = Slope(a, squareA, exponentialA);
            b = Slope(b, squareB, exponentialB);
        }

        /// <summary>With e = e^-|2u|: sigmoid is 1 / (1 + e) or e / (1 + e), and s (1 - s) is e / (1 + e)² without a difference that cancels.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Slope<V>(V x, V square, V e)
            where V : struct, ILanes<V>
        {
            var larger = V.Create(1) / (V.Create(1) + e);
            var smaller = e * larger;
            var inner = V.MultiplyAdd(square, V.Create(3 * Cubic * Slope2), V.Create(Slope2));
            return V.MultiplyAdd(x * larger * smaller, inner, V.WhereGreater(x, V.Zero, larger, smaller));
        }

        /// <summary>2u.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Doubled<V>(V x, V square)
            where V : struct, ILanes<V> => x * V.MultiplyAdd(square, V.Create(Cubic * Slope2), V.Create(Slope2));
    }
}
