using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>A copied state continues as the original would, and neither changes the other.</summary>
internal sealed class StateCloneProperty() : TokenProperty(ModelAbilities.Step)
{
    private const int Prompt = 7;
    private const int Rest = 6;

    public override string Name => "state-clone";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var length = Bounded(model, Prompt + Rest).FirstOrDefault(1);
        var before = Math.Min(Prompt, length / 2);
        if (before == 0)
            return PropertyOutcome.CannotAsk($"It takes at most {length} token, and a state must be copied between two.");
        var prompt = subject.Ids(model, 2, before);
        var mine = subject.Ids(model, 2, length - before, seed: 8);
        var other = subject.Ids(model, 2, length - before, seed: 9);
        using var state = NewState(model, 2);
        StepThrough(model, prompt, state);
        using var copy = state.Clone();
        var fromCopy = StepThrough(model, other, copy);      // first the copy, then the original: each must be where the prompt left it
        var fromState = StepThrough(model, mine, state);
        return PropertyOutcome.Worse(
            Same(fromCopy, Whole(model, prompt, other), "A copied state does not continue where the original was."),
            Same(fromState, Whole(model, prompt, mine), "Stepping a copied state changes the original."));
    }

    private static Tensor Whole(TokenModel model, Tensor prompt, Tensor rest)
    {
        using var fresh = NewState(model, (int)prompt.shape[0]);
        return StepThrough(model, cat([prompt, rest], dim: 1), fresh).narrow(1, prompt.shape[1], rest.shape[1]);
    }
}
