using System.Runtime.Intrinsics;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some outputs of every row.</summary>
internal unsafe struct BFloat16LinearForward : ISimdKernel
{
    private const int Together = 4;        // rows of the matrix that share the loads of x

    public int Rows, Dim, Outputs;
    public int First, Count;               // which outputs
    public float* X, Bias, Y;              // no bias: null
    public ushort* Weight;

    /// <summary>Of the whole work, that of some outputs.</summary>
    public readonly BFloat16LinearForward Piece(int first, int count) => this with { First = first, Count = Math.Min(count, Outputs - first) };

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, end) = ((long)Dim, First + Count);
        var whole = Rows / Together * Together;
        for (var e = First; e < end && whole > 0; e += Together)
        {
            // The last ones take a row twice rather than another loop: what is summed for it is not written.
            var last = (end - 1) * dim;
            ushort* w0 = Weight + e * dim, w1 = Weight + Math.Min((e + 1) * dim, last), w2 = Weight + Math.Min((e + 2) * dim, last);
            var w3 = Weight + Math.Min((e + 3) * dim, last);
            for (var r = 0; r < whole; r += Together)
            {
                var x = X + r * dim;
                var (y0, y1, y2, y3) = Tile<V>(x, x + dim, x + 2 * dim, x + 3 * dim, w0, w1, w2, w3, Dim);
                Write(y0, r, e);
                Write(y1, r + 1, e);
                Write(y2, r + 2, e);
                Write(y3, r + 3, e);
            }
        }
        // A few rows: the matrix goes through line by line, in the order in which memory gives it fastest.
        if (whole < Rows)
            RowProducts.Run<V>((nint)Weight, true, First, Count, Dim, X + whole * dim, Rows - whole, Bias, Y + (long)whole * Outputs, Outputs);
    }

    private readonly void Write(Vector128<float> sums, int row, int output)
    {
        for (var i = 0; i < Math.Min(Together, First + Count - output); i++)
            Y[(long)row * Outputs + output + i] = sums[i] + (Bias == null ? 0 : Bias[output + i]);
    }

    /// <summary>Four rows of x with four of the matrix, so that a number of either is loaded once for four products.</summary>
    private static (Vector128<float> Row0, Vector128<float> Row1, Vector128<float> Row2, Vector128<float> Row3) Tile<V>(
        float* x0, float* x1, float* x2, float* x3, ushort* w0, ushort* w1, ushort* w2, ushort* w3, int dim)
        where V : struct, ILanes<V>
    {
        V a0 = V.Zero, a1 = V.Zero, a2 = V.Zero, a3 = V.Zero;
        V b0 = V.Zero, b1 = V.Zero, b2 = V.Zero, b3 = V.Zero;
        V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero, c3 = V.Zero;
        V d0 = V.Zero, d1 = V.Zero, d2 = V.Zero, d3 = V.Zero;
        var width = V.Count;
        var k = 0;
        for (; k <= dim - width; k += width)
        {
            V m0 = V.LoadBFloat16(w0 + k), m1 = V.LoadBFloat16(w1 + k), m2 = V.LoadBFloat16(w2 + k), m3 = V.LoadBFloat16(w3 + k);
            var x = V.Load(x0 + k);
            a0 = V.MultiplyAdd(x, m0, a0);
            a1 = V.MultiplyAdd(x, m1, a1);
            a2 = V.MultiplyAdd(x, m2, a2);
            a3 = V.MultiplyAdd(x, m3, a3);
            x = V.Load(x1 + k);
            b0 = V.MultiplyAdd(x, m0, b0);
            b1 = V.MultiplyAdd(x, m1, b1);
            b2 = V.MultiplyAdd(x, m2, b2);
            b3 = V.MultiplyAdd(x, m3, b3);
            x = V.Load(x2 + k);
            c0 = V.MultiplyAdd(x, m0, c0);
            c1 = V.MultiplyAdd(x, m1, c1);
            c2 = V.MultiplyAdd(x, m2, c2);
            c3 = V.MultiplyAdd(x, m3, c3);
            x = V.Load(x3 + k);
            d0 = V.MultiplyAdd(x, m0, d0);
            d1 = V.MultiplyAdd(x, m1, d1);
            d2 = V.MultiplyAdd(x, m2, d2);
            d3 = V.MultiplyAdd(x, m3, d3);
        }
        var sums = (V.Sums(a0, a1, a2, a3), V.Sums(b0, b1, b2, b3), V.Sums(c0, c1, c2, c3), V.Sums(d0, d1, d2, d3));
        for (; k < dim; k++)
        {
            var m = Vector128.Create(Single(w0[k]), Single(w1[k]), Single(w2[k]), Single(w3[k]));
            sums = (sums.Item1 + m * x0[k], sums.Item2 + m * x1[k], sums.Item3 + m * x2[k], sums.Item4 + m * x3[k]);
        }
        return sums;
    }

    private static float Single(ushort bits) => BitConverter.Int32BitsToSingle(bits << 16);
}
