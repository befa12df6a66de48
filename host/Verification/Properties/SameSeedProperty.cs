using Zoo.Architectures;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>The same seed gives the same model and, in training mode, the same numbers: bit by bit.</summary>
internal sealed class SameSeedProperty : IModelProperty
{
    public string Name => "same-seed";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var first = subject.Build();
        using var second = subject.Build();
        foreach (var ((name, a), (_, b)) in first.named_parameters().Zip(second.named_parameters()))
        {
            var comparison = TensorComparison.Compare(name, b, a, 0, 0);
            if (comparison.Problem is not null)
                return PropertyOutcome.Of(comparison, "Two models from one seed differ: initialise from torch's generator alone.");
        }
        var batch = subject.Examples(first, count: 4);
        var outcome = PropertyOutcome.Of(
            TensorComparison.Compare("outputs", Train(first, batch), Train(first, batch), 0, 0),
            "Two training passes from one seed differ: draw from the model's Randomness alone, and sum in a fixed order.");
        return PropertyOutcome.Worse(outcome, PropertyOutcome.Of(
            TensorComparison.Compare("outputs", Train(second, batch), Train(first, batch), 0, 0), "Two equal models differ in training mode."));
    }

    private static Tensor Train(Model model, Batch batch)
    {
        model.train();
        ModelGradients.Reseed(model);
        return model.Run(batch).Outputs.detach();
    }
}
