using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>A matrix times a few vectors, each weight read once: what decoding a token spends its time on.</summary>
/// <remarks>
/// Four rows at a time, a quarter of the rows apart: memory then has four runs of lines to fetch side by side, each of which the processor's own
/// guesses follow, and gives half as much again as along one row after the other. Rows stay in the first cache while they meet every vector. A
/// product has two sums, whatever rows it is made with; their order is fixed, and nothing depends on how rows are shared among threads or on
/// how many vectors there are.
/// </remarks>
public static unsafe class RowProducts
{
    private const int Streams = 4;
    private const int Ahead = 256;      // bytes

    /// <summary>Where a matrix's numbers come from.</summary>
    private interface IWeights
    {
        static abstract int Bytes { get; }

        /// <summary>Whether lines are asked for ahead: so much is done for a line that those to come are out of the processor's sight.</summary>
        static abstract bool AsksAhead { get; }

        static abstract V Load<V>(byte* source)
            where V : struct, ILanes<V>;

        static abstract float Number(byte* source);
    }

    /// <summary>y[b, o] = Σ_i w[o, i] x[b, i] (+ bias[o]) for the rows from <paramref name="first"/> on.</summary>
    /// <param name="weight">[row, length], in order.</param>
    /// <param name="isBFloat16">Whether it holds bfloat16 instead of float32.</param>
    /// <param name="first">The first row.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="length">Numbers of a row, and of x.</param>
    /// <param name="x">[batch, length].</param>
    /// <param name="batch">How many vectors.</param>
    /// <param name="bias">[row]; null for none.</param>
    /// <param name="y">[batch, yStride]; row o of the matrix gives column o.</param>
    /// <param name="yStride">From one vector's results to the next's.</param>
    /// <typeparam name="V">The vector.</typeparam>
    public static void Run<V>(nint weight, bool isBFloat16, int first, int count, int length, float* x, int batch, float* bias, float* y, int yStride)
        where V : struct, ILanes<V>
    {
        if (isBFloat16)
            Rows<V, BFloat16Weights>((byte*)weight, first, count, length, x, batch, bias, y, yStride);
        else
            Rows<V, Float32Weights>((byte*)weight, first, count, length, x, batch, bias, y, yStride);
    }

    private static void Rows<V, W>(byte* weight, int first, int count, int length, float* x, int batch, float* bias, float* y, int yStride)
        where V : struct, ILanes<V>
        where W : struct, IWeights
    {
        var bytes = (long)length * W.Bytes;
        var quarter = count / Streams;
        var apart = quarter * bytes;
        for (var row = first; row < first + quarter; row++)
        {
            for (var b = 0; b < batch; b++)
            {
                var results = y + (long)b * yStride + row;
                DotFour<V, W>(weight + row * bytes, apart, x + (long)b * length, length, results, quarter);
                for (var i = 0; bias != null && i < Streams; i++)
                    results[i * quarter] += bias[row + i * quarter];
            }
        }
        for (var row = first + Streams * quarter; row < first + count; row++)
        {
            for (var b = 0; b < batch; b++)
                y[(long)b * yStride + row] = Dot<V, W>(weight + row * bytes, x + (long)b * length, length) + (bias == null ? 0 : bias[row]);
        }
    }

    /// <summary>Four rows so many bytes apart times a vector; the results are so many numbers apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotFour<V, W>(byte* w, long apart, float* x, int length, float* results, int resultsApart)
        where V : struct, ILanes<V>
        where W : struct, IWeights
    {
        V a0 = V.Zero, b0 = V.Zero, c0 = V.Zero, d0 = V.Zero;
        V a1 = V.Zero, b1 = V.Zero, c1 = V.Zero, d1 = V.Zero;
        byte* a = w, b = w + apart, c = b + apart, d = c + apart;
        var (n, step) = (V.Count, V.Count * W.Bytes);
        var i = 0;
        for (; i + 2 * n <= length; i += 2 * n)
        {
            if (W.AsksAhead && Sse.IsSupported)
            {
                Sse.Prefetch0(a + Ahead);      // of an address beyond the matrix nothing comes
                Sse.Prefetch0(b + Ahead);
                Sse.Prefetch0(c + Ahead);
                Sse.Prefetch0(d + Ahead);
            }
            V x0 = V.Load(x + i), x1 = V.Load(x + i + n);
            a0 = V.MultiplyAdd(W.Load<V>(a), x0, a0);
            b0 = V.MultiplyAdd(W.Load<V>(b), x0, b0);
            c0 = V.MultiplyAdd(W.Load<V>(c), x0, c0);
            d0 = V.MultiplyAdd(W.Load<V>(d), x0, d0);
            a1 = V.MultiplyAdd(W.Load<V>(a + step), x1, a1);
            b1 = V.MultiplyAdd(W.Load<V>(b + step), x1, b1);
            c1 = V.MultiplyAdd(W.Load<V>(c + step), x1, c1);
            d1 = V.MultiplyAdd(W.Load<V>(d + step), x1, d1);
            a += 2 * step;
            b += 2 * step;
            c += 2 * step;
            d += 2 * step;
        }
        results[0] = Finish<V, W>(a0, a1, a, x, i, length);
        results[resultsApart] = Finish<V, W>(b0, b1, b, x, i, length);
        results[2 * resultsApart] = Finish<V, W>(c0, c1, c, x, i, length);
        results[3 * resultsApart] = Finish<V, W>(d0, d1, d, x, i, length);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<V, W>(byte* w, float* x, int length)
        where V : struct, ILanes<V>
        where W : struct, IWeights
    {
        V s0 = V.Zero, s1 = V.Zero;
        var (n, step) = (V.Count, V.Count * W.Bytes);
        var i = 0;
        for (; i + 2 * n <= length; i += 2 * n)
        {
            s0 = V.MultiplyAdd(W.Load<V>(w), V.Load(x + i), s0);
            s1 = V.MultiplyAdd(W.Load<V>(w + step), V.Load(x + i + n), s1);
            w += 2 * step;
        }
        return Finish<V, W>(s0, s1, w, x, i, length);
    }

    /// <summary>The sums of a row, and what is left of it from number <paramref name="i"/> on, which lies at <paramref name="w"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Finish<V, W>(V s0, V s1, byte* w, float* x, int i, int length)
        where V : struct, ILanes<V>
        where W : struct, IWeights
    {
        if (i + V.Count <= length)
        {
            s0 = V.MultiplyAdd(W.Load<V>(w), V.Load(x + i), s0);
            i += V.Count;
            w += V.Count * W.Bytes;
        }
        var sum = V.Sum(s0 + s1);
        for (; i < length; i++, w += W.Bytes)
            sum += W.Number(w) * x[i];
        return sum;
    }

    private readonly struct Float32Weights : IWeights
    {
        public static int Bytes => sizeof(float);

        public static bool AsksAhead => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load<V>(byte* source)
            where V : struct, ILanes<V> => V.Load((float*)source);

        public static float Number(byte* source) => *(float*)source;
    }

    private readonly struct BFloat16Weights : IWeights
    {
        public static int Bytes => sizeof(ushort);

        public static bool AsksAhead => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load<V>(byte* source)
            where V : struct, ILanes<V> => V.LoadBFloat16((ushort*)source);

        public static float Number(byte* source) => BitConverter.Int32BitsToSingle(*(ushort*)source << 16);
    }
}
