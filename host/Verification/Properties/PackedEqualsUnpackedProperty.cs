using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>The packed form gives the unpacked model's logits bit for bit: built from the same seed, and packed from its weights.</summary>
internal sealed class PackedEqualsUnpackedProperty() : TokenProperty(ModelAbilities.Packed)
{
    private const int Batch = 2;

    public override string Name => "packed-equals-unpacked";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        if (model is not IPackedWeights { IsPacked: false } unpacked)
            return PropertyOutcome.Fails($"{model.GetName()} promises a packed form and is no unpacked {nameof(IPackedWeights)}.");
        using var sameSeed = (TokenModel)subject.BuildPacked();
        using var filled = (TokenModel)subject.BuildPacked(ModelSubject.Seed + 1);
        var packed = unpacked.Pack(StateDict.Save(model));
        ((IPackedWeights)filled).CheckPacked(packed, "the packed form");
        StateDict.Load(filled, packed, "the packed form");
        var outcome = PropertyOutcome.Holds;
        foreach (var (form, origin) in new[] { (sameSeed, "built from the same seed"), (filled, "packed from its weights") })
        {
            form.eval();
            foreach (var length in Bounded(model, 1, 3, 65))
            {
                var ids = subject.Ids(model, Batch, length, seed: length);
                outcome = PropertyOutcome.Worse(outcome, Equal(
                    form.Head(form.Hidden(ids)), model.Head(model.Hidden(ids)), $"The form {origin} differs over {length} tokens."));
                if (!subject.Info.Abilities.HasFlag(ModelAbilities.Step))
                    continue;
                using var state = NewState(model, Batch);
                using var formState = NewState(form, Batch);
                outcome = PropertyOutcome.Worse(outcome, Equal(
                    form.Head(StepThrough(form, ids, formState)), model.Head(StepThrough(model, ids, state)), $"The form {origin} differs in {length} steps."));
            }
        }
        return outcome;
    }

    private static PropertyOutcome Equal(Tensor got, Tensor expected, string meaning) =>
        PropertyOutcome.Of(TensorComparison.Compare("logits", got, expected, 0, 0), meaning);
}
