using TorchSharp;

namespace Zoo.Tasks;

/// <summary>Rows of a batch that reach about as far, without what comes after the last target of any of them.</summary>
/// <param name="Batch">Their tokens, and their targets in the whole batch's order.</param>
/// <param name="Order">Which of the whole batch's targets each is.</param>
internal sealed record TokenPart(TokenBatch Batch, IReadOnlyList<long> Order)
{
    /// <summary>What another part takes for itself, in places of tokens: its operations are called again.</summary>
    private const long PlacesOfAnother = 96;

    /// <summary>
    /// Cuts a batch whose rows end early, each at its last target, into parts that have fewer places in all; null where it is better whole. What a causal model
    /// makes of the places that are left out counts for nothing.
    /// </summary>
    /// <param name="whole">On the processor; stays the caller's. A part's tensors are in the present dispose scope.</param>
    public static IReadOnlyList<TokenPart>? Of(TokenBatch whole)
    {
        var width = whole.Ids.shape[1];
        if (whole.TargetCount == 0 || whole.TargetCount == whole.Ids.numel())
            return null;
        var positions = Numbers(whole.ScoredPositions);
        var reach = new long[whole.Count];
        foreach (var position in positions)
            reach[position / width] = Math.Max(reach[position / width], position % width + 1);
        long[] rows = [.. Enumerable.Range(0, reach.Length).Where(row => reach[row] > 0).OrderByDescending(row => reach[row]).Select(row => (long)row)];
        var cuts = new List<int>();
        Cut(0, rows.Length);
        if (cuts.Count == 1 && rows.Length == reach.Length && reach[rows[0]] == width)
            return null;

        var targets = Numbers(whole.Targets);
        var partOf = new int[reach.Length];
        var placeOf = new int[reach.Length];
        for (var part = 0; part < cuts.Count; part++)
        {
            var (first, end) = (part == 0 ? 0 : cuts[part - 1], cuts[part]);
            Array.Sort(rows, first, end - first);
            for (var i = first; i < end; i++)
                (partOf[rows[i]], placeOf[rows[i]]) = (part, i - first);
        }
        var parts = new List<TokenPart>();
        for (var part = 0; part < cuts.Count; part++)
        {
            var own = rows[(part == 0 ? 0 : cuts[part - 1])..cuts[part]];
            var longest = own.Max(row => reach[row]);
            long[] order = [.. Enumerable.Range(0, positions.Length).Where(i => partOf[positions[i] / width] == part).Select(i => (long)i)];
            using var scope = torch.NewDisposeScope();
            var ids = whole.Ids.index_select(0, torch.tensor(own)).narrow(1, 0, longest).contiguous();
            var scored = torch.tensor([.. order.Select(i => placeOf[positions[i] / width] * longest + positions[i] % width)]);
            var expected = torch.tensor([.. order.Select(i => targets[i])]);
            parts.Add(new TokenPart(new TokenBatch(ids.MoveToOuterDisposeScope(), scored.MoveToOuterDisposeScope(), expected.MoveToOuterDisposeScope()), order));
        }
        return parts;

        // Where one cut saves the most it is made if that is worth it, and then either side is looked at in the same way.
        void Cut(int first, int end)
        {
            var (best, most) = (end, PlacesOfAnother);
            for (var i = first + 1; i < end; i++)
            {
                if ((end - i) * (reach[rows[first]] - reach[rows[i]]) is var saved && saved > most)
                    (best, most) = (i, saved);
            }
            if (best == end)
            {
                cuts.Add(end);
                return;
            }
            Cut(first, best);
            Cut(best, end);
        }
    }

    private static long[] Numbers(torch.Tensor tensor)
    {
        using var contiguous = tensor.contiguous();
        return contiguous.data<long>().ToArray();
    }
}
