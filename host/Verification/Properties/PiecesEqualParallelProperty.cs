using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>A sequence in pieces, each from the state that the last one left, gives the hidden states of the whole sequence.</summary>
internal sealed class PiecesEqualParallelProperty() : TokenProperty(ModelAbilities.Step | ModelAbilities.Chunk)
{
    public override string Name => "pieces-equal-parallel";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var outcome = PropertyOutcome.Holds;
        foreach (var pieces in (int[][])[[1, 1], [5, 1, 2], [64, 1, 64], [31, 34], [1, 65]])
        {
            var length = pieces.Sum();
            if (!Bounded(model, length).Any())
                continue;
            var ids = subject.Ids(model, 2, length);
            using var state = NewState(model, 2);
            var (start, hidden) = (0, new List<Tensor>());
            foreach (var piece in pieces)
            {
                hidden.Add(model.Hidden(ids.narrow(1, start, piece), state));
                start += piece;
            }
            outcome = PropertyOutcome.Worse(outcome, Same(
                cat(hidden, dim: 1), model.Hidden(ids), $"Pieces of {string.Join(" + ", pieces)} tokens differ from the whole sequence."));
        }
        return outcome;
    }
}
