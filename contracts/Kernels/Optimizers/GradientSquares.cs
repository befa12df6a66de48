using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The sum of the gradient's squares of each piece of a range.</summary>
/// <param name="Range">Which pieces.</param>
/// <param name="Sums">One number a piece of the whole list, to fill.</param>
internal readonly unsafe record struct GradientSquares(UpdateRange Range, nint Sums) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        if (Range.First >= Range.End)
            return;
        var entries = (UpdateEntry*)Range.Entries;
        var index = Range.EntryOf(Range.First);
        for (var piece = Range.First; piece < Range.End; piece++)
        {
            while (index + 1 < Range.EntryCount && entries[index + 1].PiecesBefore <= piece)
                index++;
            var start = (long)(piece - entries[index].PiecesBefore) * UpdateRange.LongestPiece;
            var count = (int)Math.Min(UpdateRange.LongestPiece, entries[index].Count - start);
            ((double*)Sums)[piece] = Sum<V>(entries[index].Piece(start, count));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum<V>(in UpdateEntry piece)
        where V : struct, ILanes<V>
    {
        var (gradient, isBFloat16, count) = ((nint)piece.Gradient, piece.IsBFloat16, (int)piece.Count);
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        var i = 0;
        for (; i + 4 * V.Count <= count; i += 4 * V.Count)
        {
            s0 = Add(i, s0);
            s1 = Add(i + V.Count, s1);
            s2 = Add(i + 2 * V.Count, s2);
            s3 = Add(i + 3 * V.Count, s3);
        }
        for (; i + V.Count <= count; i += V.Count)
            s0 = Add(i, s0);
        var sum = V.Sum(s0 + s1 + (s2 + s3));
        for (; i < count; i++)
        {
            var g = isBFloat16 ? BitConverter.UInt32BitsToSingle((uint)((ushort*)gradient)[i] << 16) : ((float*)gradient)[i];
            sum += g * g;
        }
        return sum;

        V Add(int at, V before)
        {
            var g = UpdateEntry.LoadGradient<V>((void*)gradient, isBFloat16, at);
            return V.MultiplyAdd(g, g, before);
        }
    }
}
