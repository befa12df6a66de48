namespace Zoo.Host.Verification.Properties;

/// <summary>Two backward passes from one seed give the same gradients, bit by bit.</summary>
internal sealed class DeterministicBackwardProperty : IModelProperty
{
    public string Name => "backward-deterministic";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        model.train();
        var batch = subject.Examples(model, count: 4);
        ModelGradients.Reseed(model);
        var first = ModelGradients.OfLoss(model, batch);
        ModelGradients.Reseed(model);
        var second = ModelGradients.OfLoss(model, batch);
        var outcome = PropertyOutcome.Holds;
        foreach (var (name, gradient) in first)
        {
            if (second.Find(name) is not { } again)
                return PropertyOutcome.Fails($"A second backward pass reaches {name} no more.");
            outcome = PropertyOutcome.Worse(outcome, PropertyOutcome.Of(
                TensorComparison.Compare($"grad.{name}", again, gradient, 0, 0), "Two backward passes differ: sum in a fixed order."));
        }
        return outcome;
    }
}
