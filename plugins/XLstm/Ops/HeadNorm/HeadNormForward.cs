using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The forward of one sequence.</summary>
internal unsafe struct HeadNormForward : ISimdKernel
{
    public HeadNormPass Pass;
    public int Sequence;
    public float Epsilon;
    public float* Y;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        int heads = Pass.Heads, dim = Pass.Dim;
        for (var t = 0; t < Pass.Length; t++)
        {
            for (var head = 0; head < heads; head++)
            {
                var (apart, together, row) = Pass.Places(Sequence, head, t);
                var h = Pass.H + apart;
                var mean = SumOf<V>(h, dim) / dim;
                var rate = 1 / MathF.Sqrt(SquaresAbout<V>(h, dim, mean) / dim + Epsilon);
                if (Pass.Rates != null)
                    (Pass.Means[row], Pass.Rates[row]) = (mean, rate);
                Row<V>(h, head, together, mean, rate);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static float SumOf<V>(float* row, int count)
        where V : struct, ILanes<V>
    {
        var sum = V.Zero;
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            sum += V.Load(row + i);
        var total = V.Sum(sum);
        for (; i < count; i++)
            total += row[i];
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SquaresAbout<V>(float* row, int count, float mean)
        where V : struct, ILanes<V>
    {
        V sum = V.Zero, wide = V.Create(mean);
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var d = V.Load(row + i) - wide;
            sum = V.MultiplyAdd(d, d, sum);
        }
        var total = V.Sum(sum);
        for (; i < count; i++)
            total += (row[i] - mean) * (row[i] - mean);
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(float* h, int head, long together, float mean, float rate)
        where V : struct, ILanes<V>
    {
        var dim = Pass.Dim;
        for (var e = 0; e < dim; e += V.Count)
        {
            var count = Math.Min(V.Count, dim - e);
            var channel = (long)head * dim + e;
            var value = (Edge.Load<V>(h + e, count) - V.Create(mean)) * V.Create(rate);
            if (Pass.Weight != null)
                value *= Edge.Load<V>(Pass.Weight + channel, count) + V.Create(Pass.Offset);
            if (Pass.Skip != null)
                value = V.MultiplyAdd(Edge.Load<V>(Pass.Skip + channel, count), Edge.Load<V>(Pass.Conv + together + e, count), value);
            if (Pass.Gate != null)
            {
                var gate = Edge.Load<V>(Pass.Gate + together + e, count);
                value *= Pass.Act == HeadGate.Silu ? VectorMath.Silu(gate) : VectorMath.Sigmoid(gate);
            }
            Edge.Store(value, Y + together + e, count);
        }
    }
}
