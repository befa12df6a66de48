using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Zoo.Kernels.Cpu;

namespace Zoo.Tests.Kernels;

/// <summary>Errors of the vector functions in units in the last place, at every width that this machine has.</summary>
public sealed unsafe class VectorMathTests
{
    public enum Function
    {
        Exp2,
        Exp2OfFew,
        Exp,
        ExpBounded,
        Log,
        Log1P,
        Sigmoid,
        Silu,
        Softplus,
        Tanh,
    }

    // Bounds are the largest errors measured at 512, 256 and 128 bits over 400,001 points each, rounded up to a tenth of an ulp; the second
    // one, where there is one, without fused multiply-add (x64 at 128 bits), where a product with log2 e is rounded before its whole part goes.
    [TestCase(Function.Exp2, -125.9, 127.9, 1.2)]
    [TestCase(Function.Exp2OfFew, -125.9, 125.9, 1.2, 1.5)]
    [TestCase(Function.Exp, -87.3, 88.7, 1.1)]
    [TestCase(Function.ExpBounded, -8, 8, 2.7, 7.8)]
    [TestCase(Function.ExpBounded, -87, 87, 19.5, 63.2)]
    [TestCase(Function.Log, 1.5, 1e30, 0.8)]
    [TestCase(Function.Log, 1e-37, 0.6, 0.8)]
    [TestCase(Function.Log1P, 1e-30, 1, 1.2)]
    [TestCase(Function.Sigmoid, -87, 30, 2.4)]
    [TestCase(Function.Silu, -80, 80, 2.4)]
    [TestCase(Function.Softplus, -87, 87, 1.9)]
    [TestCase(Function.Tanh, -12, 12, 1.3, 1.7)]
    public void Function_OverItsRange_StaysWithinUlps(Function function, double first, double last, double ulps, double? unfused = null)
    {
        var bound = Fma.IsSupported || AdvSimd.IsSupported ? ulps : unfused ?? ulps;
        const int count = 400_001;
        var logarithmic = first > 0;
        var x = new float[count];
        for (var i = 0; i < count; i++)
        {
            var t = (double)i / (count - 1);
            x[i] = (float)(logarithmic ? first * Math.Pow(last / first, t) : first + t * (last - first));
        }
        var (worst, at) = (0.0, 0f);
        var y = Apply(function, x);
        for (var i = 0; i < count; i++)
        {
            var exact = Exact(function, x[i]);
            var ulp = Math.Max((double)MathF.BitIncrement(MathF.Abs((float)exact)) - MathF.Abs((float)exact), float.Epsilon);
            var error = Math.Abs(y[i] - exact) / ulp;
            if (!(error <= worst))
                (worst, at) = (error, x[i]);
        }
        TestContext.Out.WriteLine($"{function} at {Simd.Bits} bits: {worst:F2} ulp at {at:R}");
        Assert.That(worst, Is.LessThanOrEqualTo(bound), $"{function} at {at:R}");
    }

    [TestCase(Function.Exp, float.NegativeInfinity, 0f)]
    [TestCase(Function.Exp, -1e30f, 0f)]
    [TestCase(Function.Exp, float.PositiveInfinity, float.PositiveInfinity)]
    [TestCase(Function.Exp, float.NaN, float.NaN)]
    [TestCase(Function.Exp, 0f, 1f)]
    [TestCase(Function.ExpBounded, float.NaN, float.NaN)]
    [TestCase(Function.ExpBounded, 0f, 1f)]
    [TestCase(Function.Exp2, -1e30f, 0f)]
    [TestCase(Function.Exp2, 1e30f, float.PositiveInfinity)]
    [TestCase(Function.Exp2, 0f, 1f)]
    [TestCase(Function.Exp2OfFew, float.NegativeInfinity, 0f)]
    [TestCase(Function.Exp2OfFew, float.NaN, float.NaN)]
    [TestCase(Function.Exp2OfFew, 0f, 1f)]
    [TestCase(Function.Sigmoid, float.NegativeInfinity, 0f)]
    [TestCase(Function.Sigmoid, float.PositiveInfinity, 1f)]
    [TestCase(Function.Softplus, 1e30f, 1e30f)]
    [TestCase(Function.Softplus, -1e30f, 0f)]
    [TestCase(Function.Tanh, float.PositiveInfinity, 1f)]
    [TestCase(Function.Tanh, float.NegativeInfinity, -1f)]
    [TestCase(Function.Tanh, 0f, 0f)]
    [TestCase(Function.Log, 1f, 0f)]
    public void Function_AtTheEdge_IsExact(Function function, float x, float expected) =>
        Assert.That(Apply(function, [x])[0], Is.EqualTo(expected));

    [Test]
    public void Exp2_FourAtOnce_SameBitsAsOneByOne()
    {
        var x = Enumerable.Range(0, 64).Select(i => (i - 40) * 3.7f).ToArray();
        var four = new float[64];
        Simd.Run(new FourKernel(x, four));
        Assert.That(four, Is.EqualTo(Apply(Function.Exp2, x)));
    }

    [Test]
    public void RepeatInFours_EachPlace_IsInAllOfItsFour()
    {
        float[] x = [.. Enumerable.Range(0, 16).Select(i => (float)i)], y = new float[4 * x.Length];
        Simd.Run(new FoursKernel(x, y));
        Assert.That(y, Is.EqualTo(Enumerable.Range(0, y.Length).Select(i => (float)(i % x.Length / 4 * 4 + i / x.Length))));
    }

    [Test]
    public void Sums_FourVectors_TheSumOfEach()
    {
        var x = Enumerable.Range(0, 64).Select(i => (float)(i * i % 37)).ToArray();
        var sums = new float[5];
        Simd.Run(new SumsKernel(x, sums));
        var width = (int)sums[4];
        Assert.That(sums[..4], Is.EqualTo(Enumerable.Range(0, 4).Select(i => x[(i * width)..((i + 1) * width)].Sum())));
    }

    private static double Exact(Function function, double x) => function switch
    {
        Function.Exp2 or Function.Exp2OfFew => Math.Pow(2, x),
        Function.Exp or Function.ExpBounded => Math.Exp(x),
        Function.Log => Math.Log(x),
        Function.Log1P => x < 1e-4 ? x - x * x / 2 + x * x * x / 3 : Math.Log(1 + x),
        Function.Sigmoid => 1 / (1 + Math.Exp(-x)),
        Function.Silu => x / (1 + Math.Exp(-x)),
        Function.Softplus => x < -9 ? Exact(Function.Log1P, Math.Exp(x)) : Math.Log(1 + Math.Exp(x)),
        _ => Math.Tanh(x),
    };

    private static float[] Apply(Function function, float[] x)
    {
        var y = new float[x.Length];
        Simd.Run(new Kernel(function, x, y));
        return y;
    }

    private readonly struct Kernel(Function function, float[] x, float[] y) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            fixed (float* source = x, target = y)
            {
                for (var i = 0; i < x.Length; i += V.Count)
                {
                    var count = Math.Min(V.Count, x.Length - i);
                    var v = V.LoadPartial(source + i, count);
                    var result = function switch
                    {
                        Function.Exp2 => VectorMath.Exp2(v),
                        Function.Exp2OfFew => Second(v),
                        Function.Exp => VectorMath.Exp(v),
                        Function.ExpBounded => Both(v),
                        Function.Log => VectorMath.Log(v),
                        Function.Log1P => VectorMath.Log1P(v),
                        Function.Sigmoid => VectorMath.Sigmoid(v),
                        Function.Silu => VectorMath.Silu(v),
                        Function.Softplus => VectorMath.Softplus(v),
                        _ => VectorMath.Tanh(v),
                    };
                    result.StorePartial(target + i, count);
                }
            }

            // Of two different numbers the second: the first's must not come out in its place.
            static V Second(V v)
            {
                var first = V.Create(3);
                VectorMath.Exp2OfFew(ref first, ref v);
                return V.WhereGreater(V.Abs(first - V.Create(8)), V.Zero, V.Create(float.NaN), v);
            }

            // Both forms: where they differ, neither's value comes out.
            static V Both(V v)
            {
                VectorMath.ExpBounded(v, -v, out var first, out var second);
                var (one, other) = (VectorMath.ExpBounded(v), VectorMath.ExpBounded(-v));
                var difference = V.Abs(first - one) + V.Abs(second - other);
                return V.WhereGreater(difference, V.Zero, V.Create(float.NaN), one);
            }
        }
    }

    private readonly struct FourKernel(float[] x, float[] y) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            fixed (float* source = x, target = y)
            {
                for (var i = 0; i < x.Length; i += 4 * V.Count)
                {
                    V a = V.Load(source + i), b = V.Load(source + i + V.Count);
                    V c = V.Load(source + i + 2 * V.Count), d = V.Load(source + i + 3 * V.Count);
                    VectorMath.Exp2(ref a, ref b, ref c, ref d);
                    a.Store(target + i);
                    b.Store(target + i + V.Count);
                    c.Store(target + i + 2 * V.Count);
                    d.Store(target + i + 3 * V.Count);
                }
            }
        }
    }

    /// <summary>All of x with the first of every four in place of the four, then with the second, and so on.</summary>
    private readonly struct FoursKernel(float[] x, float[] y) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            fixed (float* source = x, target = y)
            {
                for (var i = 0; i < x.Length; i += V.Count)
                {
                    var all = V.Load(source + i);
                    V.RepeatInFours(all, 0).Store(target + i);
                    V.RepeatInFours(all, 1).Store(target + x.Length + i);
                    V.RepeatInFours(all, 2).Store(target + 2 * x.Length + i);
                    V.RepeatInFours(all, 3).Store(target + 3 * x.Length + i);
                }
            }
        }
    }

    /// <summary>Four sums, and how many numbers went into each.</summary>
    private readonly struct SumsKernel(float[] x, float[] sums) : ISimdKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            fixed (float* source = x)
            {
                var n = V.Count;
                var all = V.Sums(V.Load(source), V.Load(source + n), V.Load(source + 2 * n), V.Load(source + 3 * n));
                for (var i = 0; i < 4; i++)
                    sums[i] = all[i];
                sums[4] = n;
            }
        }
    }
}
