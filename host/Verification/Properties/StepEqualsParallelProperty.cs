using Zoo.Architectures;

namespace Zoo.Host.Verification.Properties;

/// <summary>Token by token gives the hidden states of the whole sequence, at lengths around one and around blocks of 64 and 256.</summary>
internal sealed class StepEqualsParallelProperty() : TokenProperty(ModelAbilities.Step)
{
    public override string Name => "step-equals-parallel";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var outcome = PropertyOutcome.Holds;
        foreach (var length in Bounded(model, 1, 2, 63, 64, 65, 257))
        {
            var ids = subject.Ids(model, 2, length, seed: length);
            using var state = NewState(model, 2);
            outcome = PropertyOutcome.Worse(outcome, Same(
                StepThrough(model, ids, state), model.Hidden(ids), $"{length} tokens one by one differ from the whole sequence."));
        }
        return outcome;
    }
}
