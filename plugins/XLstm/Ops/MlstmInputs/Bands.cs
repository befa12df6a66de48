using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.XLstm.Ops.MlstmInputs;

/// <summary>
/// A block-diagonal matrix as its diagonals: y[j] = Σ_s band_s[j] x[j + s] for s from 1 - block to block - 1, with zeros where j + s lies in another block.
/// Whole vectors of channels are then one load and one multiply-add a diagonal, and nothing has to be shuffled.
/// </summary>
internal static unsafe class Bands
{
    /// <summary>The diagonals of a matrix, [bands, padded], from [block, out, in].</summary>
    public static void Pack(MlstmInputsSizes sizes, float* weights, float* bands)
    {
        int block = sizes.Block, padded = sizes.Padded;
        new Span<float>(bands, sizes.BandSize).Clear();
        for (var j = 0; j < sizes.Width; j++)
        {
            var (first, o) = (j / block * block, j % block);
            for (var i = 0; i < block; i++)
                bands[(i - o + block - 1) * padded + j] = weights[(long)first * block + o * block + i];
        }
    }

    /// <summary>Adds diagonals to a matrix: the way back, for gradients.</summary>
    public static void Unpack(MlstmInputsSizes sizes, float* bands, float* weights)
    {
        int block = sizes.Block, padded = sizes.Padded;
        for (var j = 0; j < sizes.Width; j++)
        {
            var (first, o) = (j / block * block, j % block);
            for (var i = 0; i < block; i++)
                weights[(long)first * block + o * block + i] += bands[(i - o + block - 1) * padded + j];
        }
    }

    /// <summary>target = matrix · row + start for some rows, four at a time: a diagonal is loaded once for them.</summary>
    /// <param name="sizes">The call's.</param>
    /// <param name="bands">The matrix.</param>
    /// <param name="rows">First channel of the first row, <see cref="MlstmInputsSizes.RowSize"/> apart and with zeros around them.</param>
    /// <param name="count">How many.</param>
    /// <param name="start">[padded], or null for zero.</param>
    /// <param name="add">Whether the products are added to the targets; start is not looked at then.</param>
    /// <param name="target">[padded] each.</param>
    /// <param name="targetRow">From one to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<V>(MlstmInputsSizes sizes, float* bands, float* rows, int count, float* start, bool add, float* target, int targetRow)
        where V : struct, ILanes<V>
    {
        int padded = sizes.Padded, bandCount = sizes.Bands, row = sizes.RowSize;
        for (var t = 0; t < count; t += 4)
        {
            // Rows that are not there are the last one once more, and store the same.
            int second = Math.Min(1, count - 1 - t), third = Math.Min(2, count - 1 - t), fourth = Math.Min(3, count - 1 - t);
            float* from0 = rows + t * row - (sizes.Block - 1), from1 = from0 + second * row, from2 = from0 + third * row, from3 = from0 + fourth * row;
            float* to0 = target + t * targetRow, to1 = to0 + second * targetRow, to2 = to0 + third * targetRow, to3 = to0 + fourth * targetRow;
            for (var j = 0; j < padded; j += V.Count)
            {
                V sum0, sum1, sum2, sum3;
                if (add)
                    (sum0, sum1, sum2, sum3) = (V.Load(to0 + j), V.Load(to1 + j), V.Load(to2 + j), V.Load(to3 + j));
                else
                    sum0 = sum1 = sum2 = sum3 = start == null ? V.Zero : V.Load(start + j);
                var band = bands + j;
                for (var s = j; s < j + bandCount; s++, band += padded)
                {
                    var weight = V.Load(band);
                    sum0 = V.MultiplyAdd(weight, V.Load(from0 + s), sum0);
                    sum1 = V.MultiplyAdd(weight, V.Load(from1 + s), sum1);
                    sum2 = V.MultiplyAdd(weight, V.Load(from2 + s), sum2);
                    sum3 = V.MultiplyAdd(weight, V.Load(from3 + s), sum3);
                }
                sum0.Store(to0 + j);
                sum1.Store(to1 + j);
                sum2.Store(to2 + j);
                sum3.Store(to3 + j);
            }
        }
    }

    /// <summary>bands += the outer products of some gradients and rows, as far as the matrix has elements; sums += the gradients.</summary>
    /// <param name="sizes">The call's.</param>
    /// <param name="grads">First channel of the first row, <see cref="MlstmInputsSizes.RowSize"/> apart.</param>
    /// <param name="rows">Likewise, with zeros around them.</param>
    /// <param name="count">How many.</param>
    /// <param name="bands">The matrix's gradient.</param>
    /// <param name="sums">[padded].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddOuter<V>(MlstmInputsSizes sizes, float* grads, float* rows, int count, float* bands, float* sums)
        where V : struct, ILanes<V>
    {
        const int group = 8;        // diagonals whose sums are in registers
        int padded = sizes.Padded, bandCount = sizes.Bands, row = sizes.RowSize;
        for (var j = 0; j < padded; j += V.Count)
        {
            for (var s = 0; s < bandCount; s += group)
            {
                // Diagonals that are not there are the last one once more, and are not kept.
                var last = bandCount - 1 - s;
                int o1 = Math.Min(1, last), o2 = Math.Min(2, last), o3 = Math.Min(3, last), o4 = Math.Min(4, last), o5 = Math.Min(5, last);
                int o6 = Math.Min(6, last), o7 = Math.Min(7, last);
                V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero, c3 = V.Zero, c4 = V.Zero, c5 = V.Zero, c6 = V.Zero, c7 = V.Zero, sum = V.Zero;
                float* x = rows + j + s - (sizes.Block - 1), g = grads + j;
                for (var t = 0; t < count; t++, x += row, g += row)
                {
                    var grad = V.Load(g);
                    sum += grad;
                    c0 = V.MultiplyAdd(grad, V.Load(x), c0);
                    c1 = V.MultiplyAdd(grad, V.Load(x + o1), c1);
                    c2 = V.MultiplyAdd(grad, V.Load(x + o2), c2);
                    c3 = V.MultiplyAdd(grad, V.Load(x + o3), c3);
                    c4 = V.MultiplyAdd(grad, V.Load(x + o4), c4);
                    c5 = V.MultiplyAdd(grad, V.Load(x + o5), c5);
                    c6 = V.MultiplyAdd(grad, V.Load(x + o6), c6);
                    c7 = V.MultiplyAdd(grad, V.Load(x + o7), c7);
                }
                var band = bands + s * padded + j;
                Keep(c0, band, last >= 0);
                Keep(c1, band + padded, last >= 1);
                Keep(c2, band + 2 * padded, last >= 2);
                Keep(c3, band + 3 * padded, last >= 3);
                Keep(c4, band + 4 * padded, last >= 4);
                Keep(c5, band + 5 * padded, last >= 5);
                Keep(c6, band + 6 * padded, last >= 6);
                Keep(c7, band + 7 * padded, last >= 7);
                Keep(sum, sums + j, s == 0);
            }
        }
    }

    /// <summary>The diagonals of the transposed matrix.</summary>
    public static void Transpose(MlstmInputsSizes sizes, float* bands, float* transposed)
    {
        int padded = sizes.Padded, reach = sizes.Block - 1;
        new Span<float>(transposed, sizes.BandSize).Clear();
        for (var s = -reach; s <= reach; s++)
        {
            for (var j = Math.Max(0, -s); j < Math.Min(sizes.Width, sizes.Width - s); j++)
                transposed[(reach - s) * padded + j + s] = bands[(s + reach) * padded + j];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<V>(V sum, float* target, bool isThere)
        where V : struct, ILanes<V>
    {
        if (isThere)
            (V.Load(target) + sum).Store(target);
    }
}
