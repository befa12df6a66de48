using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The two kinds of product in attention, over what a block of queries sees.</summary>
internal static unsafe class AttentionProducts
{
    /// <summary>scores = x · columns: q kᵀ, or the gradient of y times vᵀ. Panels of keys that no query sees are left as they are.</summary>
    /// <param name="sizes">Of the call.</param>
    /// <param name="rows">Queries of the block.</param>
    /// <param name="query">The first of them.</param>
    /// <param name="x">Its row.</param>
    /// <param name="columns">[dim, key] in panels.</param>
    /// <param name="scores">[query, key].</param>
    public static void WithColumns<V>(AttentionSizes sizes, int rows, int query, float* x, float* columns, float* scores)
        where V : struct, ILanes<V>
    {
        var (dim, width) = (sizes.Dim, AttentionSizes.PanelWidth);
        var (fewest, most) = (sizes.Seen(query), sizes.Seen(query + rows - 1));
        for (var key = 0; key < most; key += width)
        {
            var skipped = Math.Max(0, key + 1 - fewest);        // queries before the first that sees a key of this panel
            if (!sizes.Causal)
                skipped = 0;
            MatrixProduct.Run<V>(
                rows - skipped, width, dim, x + skipped * sizes.QueryStride, sizes.QueryStride, 1, columns + (long)key * dim, width,
                scores + (long)skipped * sizes.ScoreStride + key, sizes.ScoreStride, add: false);
        }
    }

    /// <summary>y = weights · rows: the weighted sum of values, or of keys for the gradient of q. Weights of keys that are not seen are zero.</summary>
    /// <param name="sizes">Of the call.</param>
    /// <param name="count">Queries of the block.</param>
    /// <param name="query">The first of them.</param>
    /// <param name="weights">[query, key].</param>
    /// <param name="rows">[key, dim] in panels.</param>
    /// <param name="keys">How many rows the panels have.</param>
    /// <param name="y">The first query's row.</param>
    public static void WithRows<V>(AttentionSizes sizes, int count, int query, float* weights, float* rows, int keys, float* y)
        where V : struct, ILanes<V>
    {
        var (dim, width, stride) = (sizes.Dim, AttentionSizes.PanelWidth, sizes.ScoreStride);
        var (fewest, most) = (sizes.Seen(query), sizes.Seen(query + count - 1));
        for (var column = 0; column < dim; column += width)
        {
            var panel = rows + (long)column * keys;
            if (column + width <= dim)
                MatrixProduct.RunGrowing<V>(count, fewest, most, weights, stride, panel, width, y + column, sizes.QueryStride);
            else
                MatrixProduct.Run<V>(count, dim - column, most, weights, stride, 1, panel, width, y + column, sizes.QueryStride, add: false);
        }
    }
}
