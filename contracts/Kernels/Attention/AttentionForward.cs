using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some queries of one head, four at a time: their scores, the softmax of these, and the weighted sum of values.</summary>
internal readonly unsafe struct AttentionForward(
    AttentionSizes sizes, int first, int count, float* q, float* k, float* v, float* y, float* logSums) : ISimdKernel
{
    /// <summary>Queries whose scores exist at a time: a panel of keys, once in the first cache, serves all of them.</summary>
    private const int Rows = 32;

    private const float Log2E = 1.44269504f;
    private const float Ln2 = 0.693147181f;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, stride) = (sizes.Dim, sizes.QueryStride);
        var keys = sizes.Seen(first + count - 1);
        var width = AttentionSizes.PanelWidth;
        var padded = sizes.PaddedKeys;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)((long)padded * (dim + sizes.PaddedDim) + (long)Rows * sizes.ScoreStride) * sizeof(float), 64);
        try
        {
            float* keysByColumn = memory, values = keysByColumn + (long)padded * dim, scores = values + (long)padded * sizes.PaddedDim;
            MatrixProduct.PackTransposed(keys, dim, k, sizes.KeyStride, keysByColumn, width);
            MatrixProduct.Pack(keys, dim, v, sizes.KeyStride, values, width);
            for (var query = first; query < first + count; query += Rows)
            {
                float* source = q + query * stride, target = y + query * stride;
                Block<V>(Math.Min(Rows, first + count - query), query, source, target, keysByColumn, values, keys, scores);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private void Block<V>(int rows, int query, float* source, float* target, float* keysByColumn, float* values, int keys, float* scores)
        where V : struct, ILanes<V>
    {
        var (dim, stride, scoreStride) = (sizes.Dim, sizes.QueryStride, sizes.ScoreStride);
        var seen = sizes.Seen(query + rows - 1);
        AttentionProducts.WithColumns<V>(sizes, rows, query, source, keysByColumn, scores);
        var factors = stackalloc float[Rows];
        for (var i = 0; i < rows; i++)
        {
            var (sum, logSum) = Softmax<V>(scores + i * scoreStride, sizes.Seen(query + i), seen, sizes.Scale * Log2E);
            factors[i] = 1 / sum;
            if (logSums != null)
                logSums[query + i] = logSum * Ln2;
        }
        AttentionProducts.WithRows<V>(sizes, rows, query, scores, values, keys, target);
        for (var i = 0; i < rows; i++)
            Multiply<V>(target + i * stride, factors[i], dim);
    }

    /// <summary>Turns scores into 2^(score · scale - largest), 0 for keys that are not seen.</summary>
    /// <param name="scores">Of one query.</param>
    /// <param name="seen">Keys that it sees.</param>
    /// <param name="end">Keys that the last query of the block sees.</param>
    /// <param name="scale">Times log2 e.</param>
    /// <returns>Their sum, and the base-2 logarithm of Σ 2^(score · scale).</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Sum, float LogSum) Softmax<V>(float* scores, int seen, int end, float scale)
        where V : struct, ILanes<V>
    {
        var largest = V.Create(float.NegativeInfinity);
        var wideScale = V.Create(scale);
        var i = 0;
        for (; i + V.Count <= seen; i += V.Count)
            largest = V.Max(largest, V.Load(scores + i) * wideScale);
        var top = V.MaxOf(largest);
        for (var j = i; j < seen; j++)
            top = Math.Max(top, scores[j] * scale);
        var (shift, sum) = (V.Create(-top), V.Zero);
        for (i = 0; i + V.Count <= seen; i += V.Count)
        {
            var weight = VectorMath.Exp2(V.MultiplyAdd(V.Load(scores + i), wideScale, shift));
            weight.Store(scores + i);
            sum += weight;
        }
        if (i < seen)       // a whole vector, whose numbers beyond are cleared: the memory is there
        {
            VectorMath.Exp2(V.MultiplyAdd(V.Load(scores + i), wideScale, shift)).Store(scores + i);
            new Span<float>(scores + seen, V.Count - (seen - i)).Clear();
            sum += V.Load(scores + i);
            i += V.Count;
        }
        if (i < end)
            new Span<float>(scores + i, end - i).Clear();
        var total = V.Sum(sum);
        return (total, top + MathF.Log2(total));
    }

    private static void Multiply<V>(float* row, float factor, int count)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            (V.Load(row + i) * wide).Store(row + i);
        for (; i < count; i++)
            row[i] *= factor;
    }
}
