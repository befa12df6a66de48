using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>What comes later does not change what came before: neither other tokens nor more of them. Nor do other sequences of the batch.</summary>
internal sealed class CausalityProperty() : TokenProperty(ModelAbilities.Causal)
{
    public override string Name => "causal";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var length = Bounded(model, 65).FirstOrDefault(1);
        var ids = subject.Ids(model, 2, length);
        var whole = model.Hidden(ids);
        var other = subject.Ids(model, 2, length, seed: 8);
        var outcome = PropertyOutcome.Holds;
        foreach (var kept in Bounded(model, 1, 16, 33, 64).Where(k => k < length))
        {
            var past = whole.narrow(1, 0, kept);
            var changed = cat([ids.narrow(1, 0, kept), other.narrow(1, kept, length - kept)], dim: 1);
            outcome = PropertyOutcome.Worse(outcome, Same(
                model.Hidden(changed).narrow(1, 0, kept), past, $"Other tokens from position {kept} on change what came before them."));
            outcome = PropertyOutcome.Worse(outcome, Same(
                model.Hidden(ids.narrow(1, 0, kept)), past, $"The first {kept} positions differ when nothing follows them."));
        }
        return PropertyOutcome.Worse(outcome, Same(
            model.Hidden(ids.narrow(0, 0, 1)), whole.narrow(0, 0, 1), "A sequence alone gives other hidden states than beside another."));
    }
}
