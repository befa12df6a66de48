using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Zoo.Kernels.Cpu;

/// <summary>A matrix times a few vectors, each weight read once: what decoding a token spends its time on.</summary>
/// <remarks>
/// A row stays in the first cache while it meets every vector. A product has four sums, so that none waits for the one before; their order is
/// fixed, and nothing depends on how rows are shared among threads or on how many vectors there are.
/// </remarks>
public static unsafe class RowProducts
{
    private const int Line = 64;               // bytes of a cache line
    private const int Ahead = 32 * Line;       // how far ahead weights are asked for: half a page, since the processor's own guesses stop at its end

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
        for (var row = first; row < first + count; row++)
        {
            var shift = bias == null ? 0 : bias[row];
            for (var b = 0; b < batch; b++)
            {
                var sum = isBFloat16
                    ? DotBFloat16<V>((ushort*)weight + (long)row * length, x + (long)b * length, length)
                    : Dot<V>((float*)weight + (long)row * length, x + (long)b * length, length);
                y[(long)b * yStride + row] = sum + shift;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<V>(float* w, float* x, int length)
        where V : struct, ILanes<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        var n = V.Count;
        var i = 0;
        for (; i + 4 * n <= length; i += 4 * n)
        {
            Prefetch((byte*)(w + i) + Ahead, 4 * V.Count * sizeof(float));
            s0 = V.MultiplyAdd(V.Load(w + i), V.Load(x + i), s0);
            s1 = V.MultiplyAdd(V.Load(w + i + n), V.Load(x + i + n), s1);
            s2 = V.MultiplyAdd(V.Load(w + i + 2 * n), V.Load(x + i + 2 * n), s2);
            s3 = V.MultiplyAdd(V.Load(w + i + 3 * n), V.Load(x + i + 3 * n), s3);
        }
        for (; i + n <= length; i += n)
            s0 = V.MultiplyAdd(V.Load(w + i), V.Load(x + i), s0);
        var sum = V.Sum(s0 + s1 + (s2 + s3));
        for (; i < length; i++)
            sum += w[i] * x[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float DotBFloat16<V>(ushort* w, float* x, int length)
        where V : struct, ILanes<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        var n = V.Count;
        var i = 0;
        for (; i + 4 * n <= length; i += 4 * n)
        {
            Prefetch((byte*)(w + i) + Ahead, 4 * V.Count * sizeof(ushort));
            s0 = V.MultiplyAdd(V.LoadBFloat16(w + i), V.Load(x + i), s0);
            s1 = V.MultiplyAdd(V.LoadBFloat16(w + i + n), V.Load(x + i + n), s1);
            s2 = V.MultiplyAdd(V.LoadBFloat16(w + i + 2 * n), V.Load(x + i + 2 * n), s2);
            s3 = V.MultiplyAdd(V.LoadBFloat16(w + i + 3 * n), V.Load(x + i + 3 * n), s3);
        }
        for (; i + n <= length; i += n)
            s0 = V.MultiplyAdd(V.LoadBFloat16(w + i), V.Load(x + i), s0);
        var sum = V.Sum(s0 + s1 + (s2 + s3));
        for (; i < length; i++)
            sum += BitConverter.Int32BitsToSingle(w[i] << 16) * x[i];
        return sum;
    }

    /// <summary>Asks for so many bytes, at most four lines; an address beyond the matrix does no harm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(address);
        if (bytes > Line)
            Sse.Prefetch0(address + Line);
        if (bytes > 2 * Line)
        {
            Sse.Prefetch0(address + 2 * Line);
            Sse.Prefetch0(address + 3 * Line);
        }
    }
}
