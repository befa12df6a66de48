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

    /// <summary>target = matrix · row + start.</summary>
    /// <param name="row">The row's first channel, with zeros around it.</param>
    /// <param name="start">[padded], or null for zero.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<V>(MlstmInputsSizes sizes, float* bands, float* row, float* start, float* target)
        where V : struct, ILanes<V>
    {
        int padded = sizes.Padded, count = sizes.Bands;
        var from = row - (sizes.Block - 1);
        for (var j = 0; j < padded; j += V.Count)
        {
            var sum = start == null ? V.Zero : V.Load(start + j);
            float* band = bands + j, x = from + j;
            for (var s = 0; s < count; s++, band += padded, x++)
                sum = V.MultiplyAdd(V.Load(band), V.Load(x), sum);
            sum.Store(target + j);
        }
    }

    /// <summary>bands += the outer product of a gradient and a row, as far as the matrix has elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddOuter<V>(MlstmInputsSizes sizes, float* grad, float* row, float* bands)
        where V : struct, ILanes<V>
    {
        int padded = sizes.Padded, count = sizes.Bands;
        var from = row - (sizes.Block - 1);
        for (var j = 0; j < padded; j += V.Count)
        {
            var g = V.Load(grad + j);
            float* band = bands + j, x = from + j;
            for (var s = 0; s < count; s++, band += padded, x++)
                V.MultiplyAdd(g, V.Load(x), V.Load(band)).Store(band);
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
}
