using TorchSharp;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>The loss's gradient reaches every trainable parameter and is finite.</summary>
/// <remarks>
/// A gradient that is zero everywhere counts as reached only if it stops being zero once the parameters are moved a little: some
/// initialisations start a branch at zero, and that is no mistake.
/// </remarks>
internal sealed class GradientReachesProperty : IModelProperty
{
    public string Name => "gradient-reaches";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        model.train();
        var batch = subject.Examples(model, count: 4);
        var gradients = ModelGradients.OfLoss(model, batch);
        var unreached = model.TrainableParameters().Select(p => p.Name).Where(n => !gradients.ContainsKey(n)).ToList();
        if (unreached.Count > 0)
            return PropertyOutcome.Fails($"No gradient reaches {Words.List(unreached)}.");
        var bad = gradients.Where(g => !g.Value.isfinite().all().item<bool>()).Select(g => g.Key).ToList();
        if (bad.Count > 0)
            return PropertyOutcome.Fails($"The gradient of {Words.List(bad)} has elements that are NaN or infinite.");

        var zero = Zero(gradients);
        if (zero.Count > 0)
        {
            Move(model);
            zero = [.. zero.Intersect(Zero(ModelGradients.OfLoss(model, batch)))];
        }
        return zero.Count == 0 ? PropertyOutcome.Holds
            : PropertyOutcome.Fails($"The gradient of {Words.List(zero)} is zero everywhere, also after every parameter was moved a little.");
    }

    private static List<string> Zero(NamedTensors gradients) =>
        [.. gradients.Where(g => g.Value.count_nonzero().item<long>() == 0).Select(g => g.Key)];

    private static void Move(Model model)
    {
        using var noGradient = no_grad();
        manual_seed(ModelSubject.Seed);
        using Scalar spread = 0.05;
        foreach (var parameter in model.parameters())
            parameter.add_(randn_like(parameter), spread);
    }
}
