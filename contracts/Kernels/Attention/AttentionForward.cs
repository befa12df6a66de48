using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Some queries of one head, block by block: scores, their exponentials, and the weighted sum of values, rescaled where a larger score turns up.</summary>
internal readonly unsafe struct AttentionForward(AttentionSizes sizes, AttentionPiece piece, AttentionPiece next, float* logSums) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        const int Most = AttentionSizes.QueriesOfABlock;
        var (dim, stride, first, count) = (sizes.Dim, sizes.RowStride, piece.First, piece.Count);
        var keys = sizes.Seen(first + count - 1);
        var floats = 2L * keys * stride + Most * (dim + stride + 3) + AttentionSizes.ScoreFloats;
        var memory = (float*)NativeMemory.AlignedAlloc((nuint)floats * sizeof(float), 64);
        try
        {
            var work = new Work { Keys = memory, Values = memory + (long)keys * stride, Scores = memory + 2L * keys * stride + AttentionSizes.PanelWidth };
            work.Queries = work.Scores + AttentionSizes.ScoreFloats - AttentionSizes.PanelWidth;
            work.Sums = work.Queries + Most * dim;
            work.Largest = work.Sums + Most * stride;
            work.Totals = work.Largest + Most;
            work.Factors = work.Totals + Most;
            MatrixProduct.Pack(keys, dim, piece.K, sizes.KeyStride, work.Keys, stride);
            MatrixProduct.Pack(keys, dim, piece.V, sizes.KeyStride, work.Values, stride);
            var end = first + count;
            var keysAhead = next.K == piece.K || next.K == null ? default : new AttentionAhead(
                sizes.Seen(next.First + next.Count - 1), dim, sizes.KeyStride, sizes.Panels(first, count), next.K, next.V);
            for (var query = first; query < end; query += Most)
            {
                var (after, nextQuery, nextEnd) = query + Most < end ? (piece, query + Most, end) : (next, next.First, next.First + next.Count);
                var at = nextQuery * sizes.QueryStride;
                var queriesAhead = new AttentionAhead(
                    Math.Min(Most, nextEnd - nextQuery), dim, sizes.QueryStride, sizes.Panels(query, Most), Pointers.At(after.Q, at), Pointers.At(after.Y, at));
                Block<V>(work, query, Math.Min(Most, end - query), ref queriesAhead, ref keysAhead);
            }
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    private void Block<V>(in Work work, int query, int queries, ref AttentionAhead queriesAhead, ref AttentionAhead keysAhead)
        where V : struct, ILanes<V>
    {
        const int Most = AttentionSizes.QueriesOfABlock;
        var (dim, width, stride, rowStride) = (sizes.Dim, AttentionSizes.PanelWidth, sizes.QueryStride, sizes.RowStride);
        MatrixProduct.PackTransposed(queries, dim, piece.Q + query * stride, stride, work.Queries, width);
        AttentionProducts.Multiply<V>(work.Queries, sizes.Scale2, (queries + width - 1) / width * width * dim);
        new Span<float>(work.Largest, Most).Fill(float.NegativeInfinity);
        new Span<float>(work.Totals, Most).Clear();
        var seen = sizes.Seen(query + queries - 1);
        for (var key = 0; key < seen; key += AttentionSizes.KeysOfABlock)
        {
            var block = new AttentionBlock(sizes, query, queries, key, Math.Min(AttentionSizes.KeysOfABlock, seen - key));
            AttentionProducts.Scores<V>(block, work.Keys + (long)key * rowStride, work.Queries, work.Scores, ref queriesAhead, ref keysAhead);
            AttentionProducts.Hide<V>(block, work.Scores, float.NegativeInfinity);
            for (var panel = 0; panel < queries; panel += width)
                Weights<V>(block.Seen(panel + width), work.Scores + panel, work.Largest + panel, work.Totals + panel, work.Factors + panel);
            AttentionProducts.Hide<V>(block, work.Scores, 0);
            for (var i = 0; i < queries && key > 0; i++)
            {
                if (work.Factors[i] != 1)
                    AttentionProducts.Multiply<V>(work.Sums + i * rowStride, work.Factors[i], rowStride);
            }
            AttentionProducts.OverKeys<V>(block, work.Scores, work.Values + (long)key * rowStride, work.Sums, add: key > 0);
        }
        for (var i = 0; i < queries; i++)
        {
            AttentionProducts.Place<V>(1, dim, work.Sums + i * rowStride, rowStride, 1 / work.Totals[i], piece.Y + (query + i) * stride, stride);
            if (logSums != null)
                logSums[query + i] = work.Largest[i] + MathF.Log2(work.Totals[i]);
        }
    }

    /// <summary>Of a panel of queries: scores become 2^(score - largest), and what was summed before is to be multiplied with 2^(largest before - largest).</summary>
    /// <param name="keys">How many keys at least one query of the panel sees.</param>
    /// <param name="scores">[key, query], to base 2; what is not seen is -infinity.</param>
    /// <param name="largest">Of each query; -infinity before its first block.</param>
    /// <param name="totals">Sums of the exponentials.</param>
    /// <param name="factors">For the sums of values so far.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weights<V>(int keys, float* scores, float* largest, float* totals, float* factors)
        where V : struct, ILanes<V>
    {
        long stride = AttentionSizes.ScoreStride;
        V before0 = V.Load(largest), before1 = V.Load(largest + V.Count);
        V top0 = before0, top1 = before1;
        var row = scores;
        for (var key = 0; key < keys; key++, row += stride)
        {
            top0 = V.Max(top0, V.Load(row));
            top1 = V.Max(top1, V.Load(row + V.Count));
        }
        top0.Store(largest);
        top1.Store(largest + V.Count);
        V factor0 = before0 - top0, factor1 = before1 - top1;
        VectorMath.Exp2OfFew(ref factor0, ref factor1);
        factor0.Store(factors);
        factor1.Store(factors + V.Count);
        V total0 = V.Load(totals) * factor0, total1 = V.Load(totals + V.Count) * factor1;
        row = scores;
        for (var key = 0; key < keys; key++, row += stride)
        {
            V a = V.Load(row) - top0, b = V.Load(row + V.Count) - top1;
            VectorMath.Exp2OfFew(ref a, ref b);
            a.Store(row);
            b.Store(row + V.Count);
            total0 += a;
            total1 += b;
        }
        total0.Store(totals);
        total1.Store(totals + V.Count);
    }

    /// <summary>Memory of one piece.</summary>
    private struct Work
    {
        /// <summary>k and v, [key, dim], rows together.</summary>
        public float* Keys, Values;

        /// <summary>Of a block, [key, query].</summary>
        public float* Scores;

        /// <summary>Scaled queries of a block, [dim, query] in panels.</summary>
        public float* Queries;

        /// <summary>Weighted sums of values, [query, dim].</summary>
        public float* Sums;

        /// <summary>Of each query of a block.</summary>
        public float* Largest, Totals, Factors;
    }
}
