using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>In float64, the reference's gradient for every argument is the slope of its outputs: a central difference along one direction.</summary>
internal sealed class OpDifferenceQuotientProperty : IOpProperty
{
    private const double Step = 1e-6;

    public string Name => "gradient-difference-quotient";

    public bool AppliesTo(Op op) => op.HasExactGradient;

    public PropertyOutcome Check(OpSubject subject)
    {
        var outcome = PropertyOutcome.CannotAsk("None of its outputs has a gradient.");
        foreach (var withOptional in subject.WithOptional)
        {
            var inputs = subject.Inputs(withOptional, ScalarType.Float64);
            if (OpSubject.Loss(subject.Op, subject.RunReference(inputs)) is not { } loss)
                continue;
            if (outcome.NotAsked)
                outcome = PropertyOutcome.Holds;
            Gradients.Backward(loss);
            var size = Math.Max(1, Math.Abs(loss.item<double>()));
            manual_seed(ModelSubject.Seed);
            foreach (var (name, input) in inputs.Where(i => i.Value.requires_grad))
            {
                var gradient = input.grad ?? zeros_like(input);
                var direction = randn_like(gradient);
                direction /= direction.norm();
                var expected = (LossAt(Step) - LossAt(-Step)) / (2 * Step);
                var slope = (gradient * direction).sum().item<double>();
                var worst = new Deviation($"slope along {name}", [], slope, expected);
                var allowed = 1e-5 * Math.Max(Math.Abs(expected), Math.Abs(slope)) + 1e-8 * size;
                outcome = PropertyOutcome.Worse(outcome, new PropertyOutcome(worst.AbsoluteError <= allowed ? null
                    : $"The gradient of '{name}' gives a slope of {TensorComparison.Format(slope)}, and the outputs change by " +
                      $"{TensorComparison.Format(expected)} (allowed difference {TensorComparison.Format(allowed)}).")
                {
                    MaxAbsoluteError = worst.AbsoluteError,
                    Worst = worst,
                });

                double LossAt(double step)
                {
                    var moved = new NamedTensors(inputs) { [name] = (input.detach() + step * direction).requires_grad_() };
                    return OpSubject.Loss(subject.Op, subject.RunReference(moved))!.item<double>();
                }
            }
        }
        return outcome;
    }
}
