using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>One key head and the query heads that read it: weights reckoned again, and from them the gradients of q, k and v.</summary>
/// <param name="sizes">Of the call.</param>
/// <param name="arrays">Its memory.</param>
/// <param name="row">Of the batch.</param>
/// <param name="keyHead">Which.</param>
/// <param name="next">The piece, row · key heads + key head, that this thread will probably take next; one that is not there for none.</param>
internal readonly unsafe struct AttentionBackward(AttentionSizes sizes, KernelArrays arrays, int row, int keyHead, int next) : ISimdKernel
{
    private const int Most = AttentionSizes.QueriesOfABlock;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, stride, keys) = (sizes.Dim, sizes.RowStride, sizes.Keys);
        var at = (row * (long)keys * sizes.KeyHeads + keyHead) * dim;
        var ofKeys = (long)keys * stride;
        float* gradK = arrays.Gradient("k").Float32, gradV = arrays.Gradient("v").Float32;
        var floats = 4 * ofKeys + Most * (2 * dim + 3 * stride + 2) + 2 * AttentionSizes.ScoreFloats;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);
        try
        {
            var work = new Work { Keys = memory, Values = memory + ofKeys, GradK = memory + 2 * ofKeys, GradV = memory + 3 * ofKeys };
            work.Weights = memory + 4 * ofKeys + AttentionSizes.PanelWidth;
            work.GradScores = work.Weights + AttentionSizes.ScoreFloats;
            work.Queries = work.GradScores + AttentionSizes.ScoreFloats - AttentionSizes.PanelWidth;
            work.GradRows = work.Queries + Most * stride;
            work.GradQ = work.GradRows + Most * stride;
            work.QueriesByColumn = work.GradQ + Most * stride;
            work.GradsByColumn = work.QueriesByColumn + Most * dim;
            work.LogSums = work.GradsByColumn + Most * dim;
            work.Shifts = work.LogSums + Most;
            MatrixProduct.Pack(keys, dim, arrays["k"].Float32 + at, sizes.KeyStride, work.Keys, stride);
            MatrixProduct.Pack(keys, dim, arrays["v"].Float32 + at, sizes.KeyStride, work.Values, stride);
            NativeMemory.Clear(work.GradK, (nuint)(2 * ofKeys * sizeof(float)));
            var asked = 2 * sizes.Group * sizes.Panels(0, sizes.Queries);
            var keysAhead = next < sizes.Batch * sizes.KeyHeads
                ? AheadOfKeys(asked, (next / sizes.KeyHeads * (long)keys * sizes.KeyHeads + next % sizes.KeyHeads) * dim)
                : default;
            var lastHead = (keyHead + 1) * sizes.Group - 1;
            for (var head = keyHead * sizes.Group; head <= lastHead; head++)
            {
                for (var query = 0; query < sizes.Queries; query += Most)
                {
                    var (nextRow, nextHead, nextQuery) = query + Most < sizes.Queries ? (row, head, query + Most)
                        : head < lastHead ? (row, head + 1, 0)
                        : (next / sizes.KeyHeads, next % sizes.KeyHeads * sizes.Group, 0);
                    var queriesAhead = nextRow < sizes.Batch ? AheadOfQueries(2 * sizes.Panels(query, Most), nextRow, nextHead, nextQuery) : default;
                    Queries<V>(work, head, query, Math.Min(Most, sizes.Queries - query), gradK != null, gradV != null, ref queriesAhead, ref keysAhead);
                }
            }
            if (gradK != null)
                AttentionProducts.Place<V>(keys, dim, work.GradK, stride, sizes.Scale, gradK + at, sizes.KeyStride);
            if (gradV != null)
                AttentionProducts.Place<V>(keys, dim, work.GradV, stride, 1, gradV + at, sizes.KeyStride);
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    /// <summary>A block of queries against all keys that they see.</summary>
    private void Queries<V>(in Work work, int head, int query, int count, bool wantsK, bool wantsV, ref AttentionAhead queriesAhead, ref AttentionAhead keysAhead)
        where V : struct, ILanes<V>
    {
        var (dim, width, stride, rowStride) = (sizes.Dim, AttentionSizes.PanelWidth, sizes.QueryStride, sizes.RowStride);
        var at = (row * (long)sizes.Queries * sizes.Heads + head) * dim + query * stride;
        float* q = arrays["q"].Float32 + at, y = arrays["y"].Float32 + at, gradY = arrays.Gradient("y").Float32 + at;
        var gradQ = arrays.Gradient("q").IsPresent ? arrays.Gradient("q").Float32 + at : null;
        MatrixProduct.Pack(count, dim, q, stride, work.Queries, rowStride);
        MatrixProduct.Pack(count, dim, gradY, stride, work.GradRows, rowStride);
        MatrixProduct.PackTransposed(count, dim, work.Queries, rowStride, work.QueriesByColumn, width);
        MatrixProduct.PackTransposed(count, dim, work.GradRows, rowStride, work.GradsByColumn, width);
        AttentionProducts.Multiply<V>(work.QueriesByColumn, sizes.Scale2, (count + width - 1) / width * width * dim);
        var logSums = arrays["log_sums"].Float32 + (row * (long)sizes.Heads + head) * sizes.Queries + query;
        for (var i = 0; i < Most; i++)
        {
            work.LogSums[i] = i < count ? logSums[i] : 0;
            work.Shifts[i] = i < count ? Dot<V>(y + i * stride, work.GradRows + i * rowStride, dim) : 0;
        }
        var seen = sizes.Seen(query + count - 1);
        for (var key = 0; key < seen; key += AttentionSizes.KeysOfABlock)
        {
            var block = new AttentionBlock(sizes, query, count, key, Math.Min(AttentionSizes.KeysOfABlock, seen - key));
            var offset = (long)key * rowStride;
            AttentionProducts.Scores<V>(block, work.Keys + offset, work.QueriesByColumn, work.Weights, ref queriesAhead, ref keysAhead);
            AttentionProducts.Scores<V>(block, work.Values + offset, work.GradsByColumn, work.GradScores, ref queriesAhead, ref keysAhead);
            for (var panel = 0; panel < count; panel += width)
                Weights<V>(block.Seen(panel + width), work.Weights + panel, work.GradScores + panel, work.LogSums + panel, work.Shifts + panel);
            AttentionProducts.Hide<V>(block, work.Weights, 0);
            AttentionProducts.Hide<V>(block, work.GradScores, 0);
            if (wantsV)
                AttentionProducts.OverQueries<V>(block, work.Weights, work.GradRows, work.GradV + offset);
            if (wantsK)
                AttentionProducts.OverQueries<V>(block, work.GradScores, work.Queries, work.GradK + offset);
            if (gradQ != null)
                AttentionProducts.OverKeys<V>(block, work.GradScores, work.Keys + offset, work.GradQ, add: key > 0);
        }
        if (gradQ != null)
            AttentionProducts.Place<V>(count, dim, work.GradQ, rowStride, sizes.Scale, gradQ, stride);
    }

    /// <summary>
    /// Of a panel of queries: scores, to base 2, become weights p = 2^(score - logSum), and their gradients p (∂p - shift), which the scale is still to
    /// be put to. Anything may come of keys that are not seen.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weights<V>(int keys, float* weights, float* gradients, float* logSums, float* shifts)
        where V : struct, ILanes<V>
    {
        long stride = AttentionSizes.ScoreStride;
        V log0 = V.Load(logSums), log1 = V.Load(logSums + V.Count), shift0 = V.Load(shifts), shift1 = V.Load(shifts + V.Count);
        for (var key = 0; key < keys; key++, weights += stride, gradients += stride)
        {
            V a = V.Load(weights) - log0, b = V.Load(weights + V.Count) - log1;
            VectorMath.Exp2OfFew(ref a, ref b);
            a.Store(weights);
            b.Store(weights + V.Count);
            (a * (V.Load(gradients) - shift0)).Store(gradients);
            (b * (V.Load(gradients + V.Count) - shift1)).Store(gradients + V.Count);
        }
    }

    private AttentionAhead AheadOfKeys(int times, long at) => new(
        sizes.Keys, sizes.Dim, sizes.KeyStride, times, arrays["k"].Float32 + at, arrays["v"].Float32 + at,
        Pointers.At(arrays.Gradient("k").Float32, at), Pointers.At(arrays.Gradient("v").Float32, at));

    private AttentionAhead AheadOfQueries(int times, int ofRow, int head, int query)
    {
        var at = (ofRow * (long)sizes.Queries * sizes.Heads + head) * sizes.Dim + query * sizes.QueryStride;
        return new(
            Math.Min(Most, sizes.Queries - query), sizes.Dim, sizes.QueryStride, times, arrays["q"].Float32 + at, arrays["y"].Float32 + at,
            arrays.Gradient("y").Float32 + at, Pointers.At(arrays.Gradient("q").Float32, at));
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
        /// <summary>k and v and their gradients so far, [key, dim], rows together.</summary>
        public float* Keys, Values, GradK, GradV;

        /// <summary>Of a block, [key, query].</summary>
        public float* Weights, GradScores;

        /// <summary>q, y's gradient and q's gradient of a block of queries, [query, dim], rows together.</summary>
        public float* Queries, GradRows, GradQ;

        /// <summary>Scaled queries and y's gradient of a block, [dim, query] in panels.</summary>
        public float* QueriesByColumn, GradsByColumn;

        /// <summary>Of each query of a block: base-2 logarithms of Σ 2^score, and ȳ · y.</summary>
        public float* LogSums, Shifts;
    }
}
