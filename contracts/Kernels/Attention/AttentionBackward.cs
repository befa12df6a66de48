using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>One key head and the query heads that read it: weights reckoned again, and from them the gradients of q, k and v.</summary>
internal readonly unsafe struct AttentionBackward(AttentionSizes sizes, KernelArrays arrays, int row, int keyHead) : ISimdKernel
{
    private const int QueriesOfABlock = 32;     // the sums over queries stay in registers for so many
    private const float Log2E = 1.44269504f;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, width) = (sizes.Dim, AttentionSizes.PanelWidth);
        var (padded, paddedDim) = ((long)sizes.PaddedKeys, (long)sizes.PaddedDim);
        var at = (row * (long)sizes.Keys * sizes.KeyHeads + keyHead) * dim;
        float* k = arrays["k"].Float32 + at, v = arrays["v"].Float32 + at;
        var gradK = arrays.Gradient("k").IsPresent ? arrays.Gradient("k").Float32 + at : null;
        var gradV = arrays.Gradient("v").IsPresent ? arrays.Gradient("v").Float32 + at : null;
        Clear(gradK);
        Clear(gradV);
        var floats = padded * (2 * dim + paddedDim) + 2L * QueriesOfABlock * sizes.ScoreStride + 2 * QueriesOfABlock * paddedDim;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);
        try
        {
            var work = new Work
            {
                KeysByColumn = memory,
                ValuesByColumn = memory + padded * dim,
                Keys = memory + 2 * padded * dim,
                Weights = memory + padded * (2 * dim + paddedDim),
                GradK = gradK,
                GradV = gradV,
            };
            work.GradScores = work.Weights + (long)QueriesOfABlock * sizes.ScoreStride;
            work.Queries = work.GradScores + (long)QueriesOfABlock * sizes.ScoreStride;
            work.GradRows = work.Queries + QueriesOfABlock * paddedDim;
            MatrixProduct.PackTransposed(sizes.Keys, dim, k, sizes.KeyStride, work.KeysByColumn, width);
            MatrixProduct.PackTransposed(sizes.Keys, dim, v, sizes.KeyStride, work.ValuesByColumn, width);
            MatrixProduct.Pack(sizes.Keys, dim, k, sizes.KeyStride, work.Keys, width);
            for (var head = keyHead * sizes.Group; head < (keyHead + 1) * sizes.Group; head++)
            {
                for (var query = 0; query < sizes.Queries; query += QueriesOfABlock)
                    Block<V>(work, head, query, Math.Min(QueriesOfABlock, sizes.Queries - query));
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private void Clear(float* gradient)
    {
        for (var i = 0; gradient != null && i < sizes.Keys; i++)
            new Span<float>(gradient + i * sizes.KeyStride, sizes.Dim).Clear();
    }

    private void Block<V>(in Work work, int head, int first, int count)
        where V : struct, ILanes<V>
    {
        var (dim, stride) = (sizes.Dim, sizes.QueryStride);
        long scoreStride = sizes.ScoreStride;
        var at = (row * (long)sizes.Queries * sizes.Heads + head) * dim + first * stride;
        float* q = arrays["q"].Float32 + at, y = arrays["y"].Float32 + at, gradY = arrays.Gradient("y").Float32 + at;
        var gradQ = arrays.Gradient("q").IsPresent ? arrays.Gradient("q").Float32 + at : null;
        var logSums = arrays["log_sums"].Float32 + (row * (long)sizes.Heads + head) * sizes.Queries + first;
        var seenByBlock = sizes.Seen(first + count - 1);
        if (first + count < sizes.Queries)
            AskForRows(q + count * stride, y + count * stride, gradY + count * stride, Math.Min(QueriesOfABlock, sizes.Queries - first - count));
        AttentionProducts.WithColumns<V>(sizes, count, first, q, work.KeysByColumn, work.Weights);
        AttentionProducts.WithColumns<V>(sizes, count, first, gradY, work.ValuesByColumn, work.GradScores);
        for (var i = 0; i < count; i++)
        {
            var shift = Dot<V>(y + i * stride, gradY + i * stride, dim);
            Scores<V>(work.Weights + i * scoreStride, work.GradScores + i * scoreStride, sizes.Seen(first + i), seenByBlock, sizes.Scale, logSums[i], shift);
        }
        if (gradQ != null)
            AttentionProducts.WithRows<V>(sizes, count, first, work.GradScores, work.Keys, sizes.Keys, gradQ);
        if (work.GradV != null)
        {
            MatrixProduct.Pack(count, dim, gradY, stride, work.GradRows, AttentionSizes.PanelWidth);
            MatrixProduct.RunPanels<V>(
                seenByBlock, dim, count, work.Weights, 1, scoreStride, work.GradRows, count, work.GradV, sizes.KeyStride, add: true);
        }
        if (work.GradK != null)
        {
            MatrixProduct.Pack(count, dim, q, stride, work.Queries, AttentionSizes.PanelWidth);
            MatrixProduct.RunPanels<V>(
                seenByBlock, dim, count, work.GradScores, 1, scoreStride, work.Queries, count, work.GradK, sizes.KeyStride, add: true);
        }
    }

    /// <summary>Scores become weights p = e^(score · scale - logSum), their gradients p (∂p - shift) scale; 0 for keys that are not seen.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores<V>(float* weights, float* gradients, int seen, int end, float scale, float logSum, float shift)
        where V : struct, ILanes<V>
    {
        var (wideScale, wideLog) = (V.Create(scale * Log2E), V.Create(-logSum * Log2E));
        var (factor, wideShift) = (V.Create(scale), V.Create(shift));
        for (var i = 0; i < seen; i += V.Count)
        {
            var weight = VectorMath.Exp2(V.MultiplyAdd(V.Load(weights + i), wideScale, wideLog));
            weight.Store(weights + i);
            (weight * factor * (V.Load(gradients + i) - wideShift)).Store(gradients + i);
        }
        var whole = (seen + V.Count - 1) / V.Count * V.Count;
        end = Math.Max(whole, end);
        new Span<float>(weights + seen, end - seen).Clear();
        new Span<float>(gradients + seen, end - seen).Clear();
    }

    /// <summary>Asks for the next block's rows: a head's numbers are short pieces far apart, which the processor does not see coming.</summary>
    private void AskForRows(float* q, float* y, float* gradY, int count)
    {
        for (var i = 0; i < count; i++, q += sizes.QueryStride, y += sizes.QueryStride, gradY += sizes.QueryStride)
        {
            Prefetch.Row(q, sizes.Dim);
            Prefetch.Row(y, sizes.Dim);
            Prefetch.Row(gradY, sizes.Dim);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<V>(float* a, float* b, int count)
        where V : struct, ILanes<V>
    {
        var wide = V.Zero;
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            wide = V.MultiplyAdd(V.Load(a + i), V.Load(b + i), wide);
        var sum = V.Sum(wide);
        for (; i < count; i++)
            sum += a[i] * b[i];
        return sum;
    }

    /// <summary>Memory of one piece.</summary>
    private struct Work
    {
        /// <summary>k and v transposed, [dim, key], in panels.</summary>
        public float* KeysByColumn, ValuesByColumn;

        /// <summary>k, [key, dim], in panels.</summary>
        public float* Keys;

        /// <summary>Of a block of queries, [query, key].</summary>
        public float* Weights, GradScores;

        /// <summary>q and y's gradient of a block, [query, dim], in panels.</summary>
        public float* Queries, GradRows;

        public float* GradK, GradV;
    }
}
