using Zoo.Architectures;

namespace Zoo.Host.Verification.Properties;

/// <summary>The state of the step form is as large after hundreds of tokens as after a few.</summary>
internal sealed class ConstantMemoryProperty() : TokenProperty(ModelAbilities.ConstantMemoryStep)
{
    private const int Few = 8;
    private const int Many = 257;

    public override string Name => "constant-memory";

    protected override PropertyOutcome Check(ModelSubject subject, TokenModel model)
    {
        var many = Bounded(model, Many).First();
        var few = Math.Min(Few, many / 2);
        using var state = NewState(model, 2);
        var ids = subject.Ids(model, 2, many);
        StepThrough(model, ids.narrow(1, 0, few), state);
        var early = StateMemory.Bytes(state);
        StepThrough(model, ids.narrow(1, few, many - few), state);
        var late = StateMemory.Bytes(state);
        if (late == 0)
            return PropertyOutcome.CannotAsk($"No tensors or arrays are found in a {state.GetType().Name}, so that its size cannot be told.");
        return late <= early ? PropertyOutcome.Holds
            : PropertyOutcome.Fails($"The state holds {early:N0} bytes after {few} tokens and {late:N0} after {many}.");
    }
}
