using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The forward of some dimensions of one sequence.</summary>
internal unsafe struct CausalConvForward : ISimdKernel
{
    public CausalConvSizes Sizes;
    public int Batch, First, Count;
    public float* X, Columns;              // Columns: the weight as [width, dim]
    public float* Bias, Initial;           // null: zero
    public float* Y, Last;

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var s = Sizes;
        var rows = stackalloc float*[s.Width];
        var columns = stackalloc float*[s.Width];
        var bias = Bias == null ? null : Bias + First;
        for (var t = 0; t < s.Length; t++)
        {
            var taps = Taps(s, X, Initial, Columns, Batch, First, t, rows, columns);
            var y = Y + ((long)Batch * s.Length + t) * s.Dims + First;
            var done = taps == 4 ? FourTaps<V>(rows, columns, bias, s.Silu, y, Count) : 0;
            Row<V>(rows, columns, taps, bias, s.Silu, y, done, Count);
        }
        for (var i = 0; i < s.Width; i++)
        {
            var from = s.Row(X, Initial, Batch, s.Length - s.Width + i);
            var to = new Span<float>(Last + ((long)Batch * s.Width + i) * s.Dims + First, Count);
            if (from == null)
                to.Clear();
            else
                new Span<float>(from + First, Count).CopyTo(to);
        }
    }

    /// <summary>The inputs that a step looks at and the columns that they are multiplied by, without inputs that are zero.</summary>
    public static int Taps(
        CausalConvSizes s, float* x, float* initial, float* columns, int batch, int first, int time, float** rows, float** columnsOf)
    {
        var taps = 0;
        for (var k = 0; k < s.Width; k++)
        {
            var row = s.Row(x, initial, batch, time - s.Width + 1 + k);
            if (row == null)
                continue;
            rows[taps] = row + first;
            columnsOf[taps++] = columns + (long)k * s.Dims + first;
        }
        return taps;
    }

    /// <summary>The usual width, with its pointers at hand: the whole vectors of a row.</summary>
    /// <returns>How many dimensions are done.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int FourTaps<V>(float** rows, float** columns, float* bias, bool silu, float* y, int count)
        where V : struct, ILanes<V>
    {
        float* x0 = rows[0], x1 = rows[1], x2 = rows[2], x3 = rows[3];
        float* w0 = columns[0], w1 = columns[1], w2 = columns[2], w3 = columns[3];
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var sum = bias == null ? V.Zero : V.Load(bias + i);
            sum = V.MultiplyAdd(V.Load(x0 + i), V.Load(w0 + i), sum);
            sum = V.MultiplyAdd(V.Load(x1 + i), V.Load(w1 + i), sum);
            sum = V.MultiplyAdd(V.Load(x2 + i), V.Load(w2 + i), sum);
            sum = V.MultiplyAdd(V.Load(x3 + i), V.Load(w3 + i), sum);
            (silu ? VectorMath.SiluBounded(sum) : sum).Store(y + i);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<V>(float** rows, float** columns, int taps, float* bias, bool silu, float* y, int from, int count)
        where V : struct, ILanes<V>
    {
        var i = from;
        for (; i + V.Count <= count; i += V.Count)
        {
            var sum = bias == null ? V.Zero : V.Load(bias + i);
            for (var k = 0; k < taps; k++)
                sum = V.MultiplyAdd(V.Load(rows[k] + i), V.Load(columns[k] + i), sum);
            (silu ? VectorMath.SiluBounded(sum) : sum).Store(y + i);
        }
        if (i == count)
            return;
        var rest = count - i;
        var last = bias == null ? V.Zero : V.LoadPartial(bias + i, rest);
        for (var k = 0; k < taps; k++)
            last = V.MultiplyAdd(V.LoadPartial(rows[k] + i, rest), V.LoadPartial(columns[k] + i, rest), last);
        (silu ? VectorMath.SiluBounded(last) : last).StorePartial(y + i, rest);
    }
}
