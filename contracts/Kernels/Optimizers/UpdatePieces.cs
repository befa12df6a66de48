using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Updates a range of pieces by a rule.</summary>
/// <typeparam name="TRule">The rule.</typeparam>
/// <param name="Rule">Its numbers.</param>
/// <param name="Range">Which pieces.</param>
internal readonly unsafe record struct UpdatePieces<TRule>(TRule Rule, UpdateRange Range) : ISimdKernel
    where TRule : struct, IUpdateRule
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
            var count = Math.Min(UpdateRange.LongestPiece, entries[index].Count - start);
            var whole = count - count % V.Count;
            if (whole > 0)
                Rule.Update<V>(entries[index].Piece(start, whole), Range.Scale);
            if (whole < count)
                Rest<V>(entries[index].Piece(start + whole, count - whole));
        }
    }

    /// <summary>Fewer numbers than a vector holds: a vector of their copies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Rest<V>(in UpdateEntry piece)
        where V : struct, ILanes<V>
    {
        var numbers = stackalloc float[5 * V.Count];
        var count = (int)piece.Count;
        new Span<float>(numbers, 5 * V.Count).Clear();
        float* value = numbers, gradient = value + V.Count, first = gradient + V.Count, second = first + V.Count, copy = second + V.Count;
        Take(piece.Value, value);
        Take(piece.First, first);
        Take(piece.Second, second);
        if (piece.IsBFloat16)
            new Span<ushort>(piece.Gradient, count).CopyTo(new Span<ushort>(gradient, count));
        else
            Take((float*)piece.Gradient, gradient);
        Rule.Update<V>(piece with
        {
            Count = V.Count,
            Value = value,
            Gradient = gradient,
            First = piece.First == null ? null : first,
            Second = piece.Second == null ? null : second,
            Copy = piece.Copy == null ? null : (ushort*)copy,
        }, Range.Scale);
        Give(value, piece.Value);
        Give(first, piece.First);
        Give(second, piece.Second);
        if (piece.Copy != null)
            new Span<ushort>(copy, count).CopyTo(new Span<ushort>(piece.Copy, count));

        void Take(float* from, float* to)
        {
            if (from != null)
                new Span<float>(from, count).CopyTo(new Span<float>(to, count));
        }

        void Give(float* from, float* to)
        {
            if (to != null)
                new Span<float>(from, count).CopyTo(new Span<float>(to, count));
        }
    }
}
