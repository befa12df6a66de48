using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Kernels;

/// <summary>Normalises a row by its root mean square and rounds it to 8 bits.</summary>
/// <remarks>Zhu et al. 2024, section 3.1: x_scale = 127 / max(|n|, 1e-5), x_int8 = round(n · x_scale). Every path quantises here.</remarks>
internal static unsafe class RowQuantizer
{
    /// <summary>The largest quantised activation.</summary>
    public const float Largest = 127;

    /// <summary>No row counts as smaller than this.</summary>
    public const float Smallest = 1e-5f;

    /// <summary>Wider rows are refused: 127 · 2^16 is below 2^24, to which floats count exactly.</summary>
    public const int WidestRow = 1 << 16;

    /// <summary>n = x · rate · weight and its integers round(n · x_scale), halves to even.</summary>
    /// <param name="x">[dim].</param>
    /// <param name="weight">[dim].</param>
    /// <param name="dim">Numbers of a row.</param>
    /// <param name="epsilon">ε of the norm.</param>
    /// <param name="integers">
    /// [dim, up to whole vectors]; gets the integers as floats, and zeros behind them. A row with a number that is not finite gets zeros and a
    /// scale of NaN, so that all its results are NaN.
    /// </param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static QuantizedRow Run<V>(float* x, float* weight, int dim, double epsilon, float* integers)
        where V : struct, ILanes<V>
    {
        var squares = Squares<V>(x, dim);
        if (!float.IsFinite(squares))
        {
            new Span<float>(integers, WholeVectors<V>(dim)).Clear();
            return new(float.NaN, float.NaN, 0);
        }
        var rate = (float)(1 / Math.Sqrt(squares / dim + epsilon));
        var scale = Largest / MathF.Max(Normalise<V>(x, weight, dim, rate, integers), Smallest);
        return new(rate, scale, Round<V>(integers, dim, scale));
    }

    /// <summary>Numbers of a row up to whole vectors.</summary>
    public static int WholeVectors<V>(int dim)
        where V : struct, ILanes<V> => (dim + V.Count - 1) / V.Count * V.Count;

    /// <summary>Writes a row's integers as bytes.</summary>
    /// <param name="integers">Whole numbers from -128 to 127.</param>
    /// <param name="dim">How many.</param>
    /// <param name="target">[padded].</param>
    /// <param name="padded">Zeros follow up to here.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Narrow(float* integers, int dim, sbyte* target, int padded)
    {
        var i = 0;
        for (; i + 16 <= dim; i += 16)
        {
            var (a, b) = (Whole(integers + i), Whole(integers + i + 4));
            var (c, d) = (Whole(integers + i + 8), Whole(integers + i + 12));
            var bytes = Sse2.IsSupported
                ? Sse2.PackSignedSaturate(Sse2.PackSignedSaturate(a, b), Sse2.PackSignedSaturate(c, d))
                : Vector128.Narrow(Vector128.Narrow(a, b), Vector128.Narrow(c, d));
            bytes.Store(target + i);
        }
        for (; i < dim; i++)
            target[i] = (sbyte)integers[i];
        for (; i < padded; i++)
            target[i] = 0;

        static Vector128<int> Whole(float* source) => Vector128.ConvertToInt32Native(Vector128.Load(source));
    }

    /// <summary>Σ x².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Squares<V>(float* x, int dim)
        where V : struct, ILanes<V>
    {
        V even = V.Zero, odd = V.Zero;      // two chains, or each addition would wait for the last
        var i = 0;
        for (; i + 2 * V.Count <= dim; i += 2 * V.Count)
        {
            V a = V.Load(x + i), b = V.Load(x + i + V.Count);
            even = V.MultiplyAdd(a, a, even);
            odd = V.MultiplyAdd(b, b, odd);
        }
        var total = V.Sum(even + odd);
        for (; i < dim; i++)
            total += x[i] * x[i];
        return total;
    }

    /// <summary>Stores x · rate · weight and returns the largest, without signs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Normalise<V>(float* x, float* weight, int dim, float rate, float* normalised)
        where V : struct, ILanes<V>
    {
        var (wide, largest) = (V.Create(rate), V.Zero);
        var i = 0;
        for (; i + V.Count <= dim; i += V.Count)
        {
            var n = V.Load(x + i) * wide * V.Load(weight + i);
            n.Store(normalised + i);
            largest = V.Max(largest, V.Abs(n));
        }
        if (i < dim)
        {
            var n = V.LoadPartial(x + i, dim - i) * wide * V.LoadPartial(weight + i, dim - i);
            n.Store(normalised + i);
            largest = V.Max(largest, V.Abs(n));
        }
        return V.MaxOf(largest);
    }

    /// <summary>Rounds in place and returns the sum, which is exact: whole numbers below 2^24.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Round<V>(float* values, int dim, float scale)
        where V : struct, ILanes<V>
    {
        var (wide, total) = (V.Create(scale), V.Zero);
        for (var i = 0; i < dim; i += V.Count)
        {
            var whole = V.Round(V.Load(values + i) * wide);
            whole.Store(values + i);
            total += whole;
        }
        return (int)V.Sum(total);
    }
}
