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
            for (; i + V.Count <= count; i += V.Count)
                F.Value(V.Load(x + i)).Store(y + i);
            if (i < count)
                F.Value(V.LoadPartial(x + i, count - i)).StorePartial(y + i, count - i);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Backward<V, F>(float* x, float* gradY, float* gradX, int count)
            where V : struct, ILanes<V>
            where F : struct, IForm
        {
            var i = 0;
            for (; i + V.Count <= count; i += V.Count)
                (V.Load(gradY + i) * F.Slope(V.Load(x + i))).Store(gradX + i);
            if (i < count)
                (V.LoadPartial(gradY + i, count - i) * F.Slope(V.LoadPartial(x + i, count - i))).StorePartial(gradX + i, count - i);
        }
    }

    private interface IForm
    {
        static abstract V Value<V>(V x)
            where V : struct, ILanes<V>;

        static abstract V Slope<V>(V x)
            where V : struct, ILanes<V>;
    }

    /// <summary>y = x Φ(x).</summary>
    /// <remarks>
    /// For x below zero Φ(x) = e^(-x²/2) t P(t) with t = 1 / (1 + 0.26 |x|), a form of the complementary error function that keeps its relative
    /// precision far out; above zero it is 1 minus that. P is our Chebyshev fit of degree 8 over |x| up to 14, within 8.1e-9. Both
    /// Φ and its derivative need the one exponential.
    /// </remarks>
    private readonly struct Normal : IForm
    {
        private const float RootOfTwoPi = 0.3989422804f;    // 1 / √(2π)

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<V>(V x)
            where V : struct, ILanes<V> => x * Distribution(x, out _);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Slope<V>(V x)
            where V : struct, ILanes<V>
        {
            var distribution = Distribution(x, out var exponential);
            return V.MultiplyAdd(x * V.Create(RootOfTwoPi), exponential, distribution);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static V Distribution<V>(V x, out V exponential)
            where V : struct, ILanes<V>
        {
            exponential = VectorMath.ExpBounded(x * x * V.Create(-0.5f));
            var t = V.Create(1) / V.MultiplyAdd(V.Abs(x), V.Create(0.26f), V.Create(1));
            var p = V.Create(0.0321890587f);
            p = V.MultiplyAdd(p, t, V.Create(-0.1608581603f));
            p = V.MultiplyAdd(p, t, V.Create(0.2677312319f));
            p = V.MultiplyAdd(p, t, V.Create(-0.169100441f));
            p = V.MultiplyAdd(p, t, V.Create(0.173176696f));
            p = V.MultiplyAdd(p, t, V.Create(0.04595599947f));
            p = V.MultiplyAdd(p, t, V.Create(0.1042917848f));
            p = V.MultiplyAdd(p, t, V.Create(0.1028449788f));
            p = V.MultiplyAdd(p, t, V.Create(0.1037688539f));
            var tail = exponential * t * p;
            return V.WhereGreater(x, V.Zero, V.Create(1) - tail, tail);
        }
    }

    /// <summary>y = x/2 (1 + tanh u) = x sigmoid(2u), u = √(2/π) (x + 0.044715 x³).</summary>
    private readonly struct Tanh : IForm
    {
        private const float Slope2 = 1.5957691216f;         // 2 √(2/π)
        private const float Cubic = 0.044715f;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Value<V>(V x)
            where V : struct, ILanes<V> => x * VectorMath.Sigmoid(Doubled(x, x * x));

        /// <summary>With e = e^-|2u|: sigmoid is 1 / (1 + e) or e / (1 + e), and s (1 - s) is e / (1 + e)² without a difference that cancels.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Slope<V>(V x)
            where V : struct, ILanes<V>
        {
            var square = x * x;
            var e = VectorMath.ExpBounded(-V.Abs(Doubled(x, square)));
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
