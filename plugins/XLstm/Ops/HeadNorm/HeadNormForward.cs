using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;
using Zoo.XLstm.Ops.Matrix;

namespace Zoo.XLstm.Ops.HeadNorm;

/// <summary>The forward of one sequence.</summary>
internal unsafe struct HeadNormForward : ISimdKernel, HeadGates.IGatedPass
{
    public HeadNormPass Pass;
    public int Sequence;
    public float Epsilon;
    public float* Y;

    public readonly void Run<V>()
        where V : struct, ILanes<V> => HeadGates.Run<V, HeadNormForward>(this, Pass);

    /// <summary>A step's heads take each pass together: one head's would wait for its own sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V, TGate>()
        where V : struct, ILanes<V>
        where TGate : struct, HeadGates.IGate
    {
        int heads = Pass.Heads, length = Pass.Length, dim = Pass.Dim, whole = dim - dim % V.Count;
        var scratch = ThreadScratch.Of(2L * heads, 2);
        float* means = scratch.Take(heads), rates = scratch.Take(heads);
        var headSize = (long)length * dim;
        for (var t = 0; t < length; t++)
        {
            var (apart, together, row) = Pass.Places(Sequence, 0, t);
            for (var head = 0; head < heads; head++)
                means[head] = SumOf<V>(Pass.H + apart + head * headSize, dim) / dim;
            for (var head = 0; head < heads; head++)
                rates[head] = 1 / MathF.Sqrt(SquaresAbout<V>(Pass.H + apart + head * headSize, dim, means[head]) / dim + Epsilon);
            for (var head = 0; head < heads; head++)
            {
                var h = Pass.H + apart + head * headSize;
                var channel = head * dim;
                if (Pass.Rates != null)
                    (Pass.Means[row + (long)head * length], Pass.Rates[row + (long)head * length]) = (means[head], rates[head]);
                Row<V, TGate, Edge.Whole>(h, channel, together + channel, 0, whole, means[head], rates[head]);
                if (whole < dim)
                    Row<V, TGate, Edge.Part>(h, channel, together + channel, whole, dim, means[head], rates[head]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SumOf<V>(float* row, int count)
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
    private readonly void Row<V, TGate, TEdge>(float* h, int channel, long together, int from, int to, float mean, float rate)
        where V : struct, ILanes<V>
        where TGate : struct, HeadGates.IGate
        where TEdge : struct, Edge.IEdge
    {
        float* weight = Pass.Weight == null ? null : Pass.Weight + channel, skip = Pass.Skip == null ? null : Pass.Skip + channel;
        float* conv = Pass.Conv + together, gate = Pass.Gate + together, y = Y + together;      // conv and gate are not looked at where there are none
        V wideMean = V.Create(mean), wideRate = V.Create(rate), offset = V.Create(Pass.Offset);
        for (var e = from; e < to; e += V.Count)
        {
            var count = to - e;
            var value = (TEdge.Load<V>(h + e, count) - wideMean) * wideRate;
            if (weight != null)
                value *= TEdge.Load<V>(weight + e, count) + offset;
            if (skip != null)
                value = V.MultiplyAdd(TEdge.Load<V>(skip + e, count), TEdge.Load<V>(conv + e, count), value);
            if (TGate.Exists)
                value *= TGate.Value(TEdge.Load<V>(gate + e, count));
            TEdge.Store(value, y + e, count);
        }
    }
}
