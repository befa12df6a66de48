using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The products of attention in one block. Scores and weights lie by keys, [key, query], so that what concerns a query is one lane of vectors.</summary>
internal static unsafe class AttentionProducts
{
    /// <summary>Scores of keys against queries, or of values against gradients of y; a panel of queries only as far as one of them sees.</summary>
    /// <param name="block">Which.</param>
    /// <param name="rows">Of its keys, [key, dim].</param>
    /// <param name="columns">Of its queries, [dim, query] in panels.</param>
    /// <param name="scores">[key, query].</param>
    /// <param name="queriesAhead">Is asked for rows once a panel.</param>
    /// <param name="keysAhead">Likewise.</param>
    public static void Scores<V>(
        in AttentionBlock block, float* rows, float* columns, float* scores, ref AttentionAhead queriesAhead, ref AttentionAhead keysAhead)
        where V : struct, ILanes<V>
    {
        var (dim, rowStride, scoreStride, width) = (block.Sizes.Dim, block.Sizes.RowStride, AttentionSizes.ScoreStride, AttentionSizes.PanelWidth);
        for (var query = 0; query < block.Queries; query += width)
        {
            queriesAhead.Ask();
            keysAhead.Ask();
            MatrixProduct.Run<V>(
                block.Seen(query + width), width, dim, rows, rowStride, 1, columns + (long)query * dim, width, scores + query, scoreStride, add: false);
        }
    }

    /// <summary>Weighted sums over keys: of values, or of keys for the gradient of queries. Weights of keys that are not seen must be zero.</summary>
    /// <param name="block">Which.</param>
    /// <param name="weights">[key, query].</param>
    /// <param name="rows">Of its keys, [key, dim].</param>
    /// <param name="sums">Of its queries, [query, dim].</param>
    /// <param name="add">Whether to what is there.</param>
    public static void OverKeys<V>(in AttentionBlock block, float* weights, float* rows, float* sums, bool add)
        where V : struct, ILanes<V>
    {
        var stride = block.Sizes.RowStride;
        var first = block.Sizes.Causal ? block.Sizes.Seen(block.Query) - block.Key : block.Keys;
        MatrixProduct.RunGrowing<V>(
            block.Queries, stride, block.Keys, first, weights, 1, AttentionSizes.ScoreStride, rows, stride, sums, stride, add);
    }

    /// <summary>Adds weighted sums over queries: of gradients of y for those of values, or of queries for those of keys.</summary>
    /// <param name="block">Which.</param>
    /// <param name="weights">[key, query].</param>
    /// <param name="rows">Of its queries, [query, dim].</param>
    /// <param name="sums">Of its keys, [key, dim].</param>
    public static void OverQueries<V>(in AttentionBlock block, float* weights, float* rows, float* sums)
        where V : struct, ILanes<V>
    {
        var (stride, scoreStride, whole) = (block.Sizes.RowStride, AttentionSizes.ScoreStride, block.SeenByAll);
        MatrixProduct.Run<V>(whole, stride, block.Queries, weights, scoreStride, 1, rows, stride, sums, stride, add: true);
        for (var key = whole; key < block.Keys; key += MatrixProduct.TileRows)      // a tile's queries begin at the first that sees one of its keys
        {
            var query = block.FirstQuery(key);
            MatrixProduct.Run<V>(
                Math.Min(MatrixProduct.TileRows, block.Keys - key), stride, block.Queries - query, weights + (long)key * scoreStride + query, scoreStride, 1,
                rows + (long)query * stride, stride, sums + (long)key * stride, stride, add: true);
        }
    }

    /// <summary>
    /// Puts a value in the place of scores of keys that are not seen: of the panel's width before the first query that sees one, which is as far as
    /// anything reads. What lies before belongs to queries that do not see it either.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Hide<V>(in AttentionBlock block, float* scores, float value)
        where V : struct, ILanes<V>
    {
        var (wide, stride) = (V.Create(value), AttentionSizes.ScoreStride);
        for (var key = block.SeenByAll; key < block.Keys; key++)
        {
            var end = scores + (long)key * stride + block.FirstQuery(key);
            wide.Store(end - 2 * V.Count);
            wide.Store(end - V.Count);
        }
    }

    /// <summary>Rows that lie together, times a factor, to their places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Place<V>(int rows, int count, float* source, int sourceRow, float factor, float* target, long targetRow)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        for (var row = 0; row < rows; row++, source += sourceRow, target += targetRow)
        {
            var i = 0;
            for (; i + V.Count <= count; i += V.Count)
                (V.Load(source + i) * wide).Store(target + i);
            for (; i < count; i++)
                target[i] = source[i] * factor;
        }
    }

    /// <summary>Multiplies numbers that lie together, whole vectors of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<V>(float* numbers, float factor, int count)
        where V : struct, ILanes<V>
    {
        var wide = V.Create(factor);
        for (var i = 0; i < count; i += V.Count)
            (V.Load(numbers + i) * wide).Store(numbers + i);
    }
}
