using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>
/// A sequence in pieces, each from the state that the last one left, gives the hidden states of the whole sequence; and so does a piece that
/// is continued token by token, as generation does it.
/// </summary>
internal sealed class PiecesEqualParallelProperty() : TokenProperty(ModelAbilities.Step | ModelAbilities.Chunk)
{
    /// <summary>Around one, around blocks of 64, and several of them: in all 1, 2, 63, 64, 65 and 257 tokens among others.</summary>
    private static readonly int[][] Splits = [[1], [1, 1], [5, 1, 2], [63], [64], [64, 1], [31, 34], [1, 65], [64, 1, 64], [64, 64, 129]];

    public override string Name => "pieces-equal-parallel";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var outcome = PropertyOutcome.Holds;
        var splits = Splits.Where(s => Takes(model, s.Sum())).ToList();
        if (model.MaximumLength is { } longest and > 2 && splits.Count < Splits.Length)
            splits.Add([longest / 2, 1, longest - longest / 2 - 1]);
        foreach (var pieces in splits)
        {
            var ids = subject.Ids(model, 2, pieces.Sum());
            using var state = NewState(model, 2);
            var (start, hidden) = (0, new List<Tensor>());
            foreach (var piece in pieces.Where(p => p > 0))
            {
                hidden.Add(Piece(model, ids.narrow(1, start, piece), state));
                start += piece;
            }
            outcome = PropertyOutcome.Worse(outcome, Same(
                cat(hidden, dim: 1), model.Hidden(ids), $"Pieces of {string.Join(" + ", pieces)} tokens differ from the whole sequence."));
        }
        return subject.Info.Abilities.HasFlag(ModelAbilities.Step)
            ? Bounded(model, 66).Aggregate(outcome, (worst, length) => PropertyOutcome.Worse(worst, ThenSteps(subject, model, length)))
            : outcome;
    }

    private static PropertyOutcome ThenSteps(ModelSubject subject, TokenModel model, int length)
    {
        var prompt = length / 2;
        if (prompt == 0)
            return PropertyOutcome.Holds;
        var ids = subject.Ids(model, 2, length);
        using var state = NewState(model, 2);
        var first = Piece(model, ids.narrow(1, 0, prompt), state);
        var rest = StepThrough(model, ids.narrow(1, prompt, length - prompt), state);
        return Same(cat([first, rest], dim: 1), model.Hidden(ids), $"{prompt} tokens at once and {length - prompt} one by one differ from the whole sequence.");
    }
}
