using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.LeNet.Ops.Net;

/// <summary>C = A·B, or C + A·B, for matrices that fit into the nearest cache: four rows at a time, one or two vectors wide.</summary>
internal static unsafe class SmallProduct
{
    /// <param name="c">[rows, columns], its rows <paramref name="cStride"/> apart.</param>
    /// <param name="a">[rows, depth], with both strides.</param>
    /// <param name="b">[depth, columns], its rows <paramref name="bStride"/> apart.</param>
    /// <param name="rows">A multiple of four.</param>
    /// <param name="columns">A multiple of the vector's width.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<V>(
        float* c, int cStride, float* a, int aRowStride, int aDepthStride, float* b, int bStride, int rows, int depth, int columns, bool add)
        where V : struct, ILanes<V>
    {
        for (var row = 0; row < rows; row += 4)
        {
            float* a0 = a + row * aRowStride, a1 = a0 + aRowStride, a2 = a1 + aRowStride, a3 = a2 + aRowStride;
            float* c0 = c + row * cStride, c1 = c0 + cStride, c2 = c1 + cStride, c3 = c2 + cStride;
            var column = 0;
            for (; column + 2 * V.Count <= columns; column += 2 * V.Count)
            {
                V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero, t0 = V.Zero, t1 = V.Zero, t2 = V.Zero, t3 = V.Zero;
                if (add)
                {
                    (s0, s1, s2, s3) = (V.Load(c0 + column), V.Load(c1 + column), V.Load(c2 + column), V.Load(c3 + column));
                    var next = column + V.Count;
                    (t0, t1, t2, t3) = (V.Load(c0 + next), V.Load(c1 + next), V.Load(c2 + next), V.Load(c3 + next));
                }
                var line = b + column;
                for (int k = 0, at = 0; k < depth; k++, at += aDepthStride, line += bStride)
                {
                    var (left, right) = (V.Load(line), V.Load(line + V.Count));
                    V f0 = V.Create(a0[at]), f1 = V.Create(a1[at]), f2 = V.Create(a2[at]), f3 = V.Create(a3[at]);
                    s0 = V.MultiplyAdd(f0, left, s0);
                    t0 = V.MultiplyAdd(f0, right, t0);
                    s1 = V.MultiplyAdd(f1, left, s1);
                    t1 = V.MultiplyAdd(f1, right, t1);
                    s2 = V.MultiplyAdd(f2, left, s2);
                    t2 = V.MultiplyAdd(f2, right, t2);
                    s3 = V.MultiplyAdd(f3, left, s3);
                    t3 = V.MultiplyAdd(f3, right, t3);
                }
                s0.Store(c0 + column);
                s1.Store(c1 + column);
                s2.Store(c2 + column);
                s3.Store(c3 + column);
                t0.Store(c0 + column + V.Count);
                t1.Store(c1 + column + V.Count);
                t2.Store(c2 + column + V.Count);
                t3.Store(c3 + column + V.Count);
            }
            for (; column < columns; column += V.Count)
            {
                V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
                if (add)
                    (s0, s1, s2, s3) = (V.Load(c0 + column), V.Load(c1 + column), V.Load(c2 + column), V.Load(c3 + column));
                // Two sums a row, of even and of odd depths: one alone would wait for each addition.
                V t0 = V.Zero, t1 = V.Zero, t2 = V.Zero, t3 = V.Zero;
                var line = b + column;
                int k = 0, at = 0;
                for (; k + 1 < depth; k += 2, at += 2 * aDepthStride, line += 2 * bStride)
                {
                    var (even, odd, next) = (V.Load(line), V.Load(line + bStride), at + aDepthStride);
                    s0 = V.MultiplyAdd(V.Create(a0[at]), even, s0);
                    t0 = V.MultiplyAdd(V.Create(a0[next]), odd, t0);
                    s1 = V.MultiplyAdd(V.Create(a1[at]), even, s1);
                    t1 = V.MultiplyAdd(V.Create(a1[next]), odd, t1);
                    s2 = V.MultiplyAdd(V.Create(a2[at]), even, s2);
                    t2 = V.MultiplyAdd(V.Create(a2[next]), odd, t2);
                    s3 = V.MultiplyAdd(V.Create(a3[at]), even, s3);
                    t3 = V.MultiplyAdd(V.Create(a3[next]), odd, t3);
                }
                if (k < depth)
                {
                    var last = V.Load(line);
                    s0 = V.MultiplyAdd(V.Create(a0[at]), last, s0);
                    s1 = V.MultiplyAdd(V.Create(a1[at]), last, s1);
                    s2 = V.MultiplyAdd(V.Create(a2[at]), last, s2);
                    s3 = V.MultiplyAdd(V.Create(a3[at]), last, s3);
                }
                (s0, s1, s2, s3) = (s0 + t0, s1 + t1, s2 + t2, s3 + t3);
                s0.Store(c0 + column);
                s1.Store(c1 + column);
                s2.Store(c2 + column);
                s3.Store(c3 + column);
            }
        }
    }
}
