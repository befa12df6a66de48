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
            Row<V>(rows, columns, taps, bias, s.Silu, Y + ((long)Batch * s.Length + t) * s.Dims + First, Count);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<V>(float** rows, float** columns, int taps, float* bias, bool silu, float* y, int count)
        where V : struct, ILanes<V>
    {
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var sum = bias == null ? V.Zero : V.Load(bias + i);
            for (var k = 0; k < taps; k++)
                sum = V.MultiplyAdd(V.Load(rows[k] + i), V.Load(columns[k] + i), sum);
            (silu ? VectorMath.Silu(sum) : sum).Store(y + i);
        }
        if (i == count)
            return;
        var rest = count - i;
        var last = bias == null ? V.Zero : V.LoadPartial(bias + i, rest);
        for (var k = 0; k < taps; k++)
            last = V.MultiplyAdd(V.LoadPartial(rows[k] + i, rest), V.LoadPartial(columns[k] + i, rest), last);
        (silu ? VectorMath.Silu(last) : last).StorePartial(y + i, rest);
    }
}
