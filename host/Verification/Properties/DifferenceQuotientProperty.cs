using TorchSharp;
using Zoo.Architectures;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>In float64, the gradient of every parameter is the slope of the loss: a central difference along one direction.</summary>
/// <remarks>
/// The direction is half the gradient's own and half a random one, so that a gradient that is too small and one that is too large both
/// show. Steps of 1e-6 leave about 1e-10 of rounding in a loss near 1; allowed are 1e-5 of the slope and 1e-8 of the loss.
/// </remarks>
internal sealed class DifferenceQuotientProperty : IModelProperty
{
    private const double Step = 1e-6;

    public string Name => "gradient-difference-quotient";

    public bool AppliesTo(ArchitectureInfo info) => info.HasExactGradient;

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.BuildFloat64();
        model.eval();
        var batch = ModelSubject.ToFloat64(subject.Examples(model, count: 3));
        var gradients = ModelGradients.OfLoss(model, batch);
        var loss = Math.Abs(ModelGradients.Loss(model, batch));
        manual_seed(ModelSubject.Seed);
        var outcome = PropertyOutcome.Holds;
        foreach (var (name, parameter) in model.TrainableParameters())
        {
            using var scope = NewDisposeScope();
            if (gradients.Find(name) is not { } gradient)
                return PropertyOutcome.Fails($"No gradient reaches {name}.");
            var direction = Unit(Unit(gradient) + Unit(randn_like(gradient)));
            var expected = (LossAt(Step) - LossAt(-Step)) / (2 * Step);
            var slope = (gradient * direction).sum().item<double>();
            var worst = new Deviation($"slope along {name}", [], slope, expected);
            var allowed = 1e-5 * Math.Max(Math.Abs(expected), Math.Abs(slope)) + 1e-8 * Math.Max(1, loss);
            outcome = PropertyOutcome.Worse(outcome, new PropertyOutcome(worst.AbsoluteError <= allowed ? null
                : $"The gradient of {name} gives a slope of {TensorComparison.Format(slope)}, and the loss changes by " +
                  $"{TensorComparison.Format(expected)} (allowed difference {TensorComparison.Format(allowed)}).")
            {
                MaxAbsoluteError = worst.AbsoluteError,
                Worst = worst,
            });

            double LossAt(double step)
            {
                using var noGradient = no_grad();
                using var before = parameter.clone();
                using Scalar distance = step;
                parameter.add_(direction, distance);
                var moved = ModelGradients.Loss(model, batch);
                parameter.copy_(before);
                return moved;
            }
        }
        return outcome;
    }

    private static Tensor Unit(Tensor tensor) => tensor / (tensor.norm() + 1e-300);
}
