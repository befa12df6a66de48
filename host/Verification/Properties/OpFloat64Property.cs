using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Outputs and gradients on the chosen backend in float32 equal those of the reference in float64.</summary>
/// <remarks>Per tensor, the norm of the difference over the norm: at most 1e-4, where float32 rounding measures about 1e-6.</remarks>
internal sealed class OpFloat64Property : IOpProperty
{
    private const double Tolerance = 1e-4;
    private const string Meaning = "Float32 differs from the reference in float64.";

    public string Name => "equals-float64";

    public bool AppliesTo(Op op) => op.HasExactGradient;

    public PropertyOutcome Check(OpSubject subject)
    {
        var outcome = PropertyOutcome.Holds;
        foreach (var withOptional in subject.WithOptional)
        {
            var (got, expected) = (subject.Inputs(withOptional, ScalarType.Float32), subject.Inputs(withOptional, ScalarType.Float64));
            var (gotOutputs, expectedOutputs) = (subject.Run(got), subject.RunReference(expected));
            foreach (var (name, output) in expectedOutputs)
            {
                if (gotOutputs.Find(name) is not { } mine)
                    return PropertyOutcome.Fails($"The output '{name}' is missing in float32.");
                outcome = PropertyOutcome.Worse(outcome, Same($"out.{name}", mine, output, Meaning));
            }
            foreach (var outputs in (NamedTensors[])[gotOutputs, expectedOutputs])
            {
                if (OpSubject.Loss(subject.Op, outputs) is { } loss)
                    Gradients.Backward(loss);
            }
            foreach (var (name, input) in expected)
            {
                if (input.grad is not { } gradient)
                    continue;
                if (got[name].grad is not { } mine)
                    return PropertyOutcome.Fails($"A gradient reaches '{name}' in float64 and not in float32.");
                outcome = PropertyOutcome.Worse(outcome, Same($"grad.in.{name}", mine, gradient, Meaning));
            }
        }
        return outcome;
    }

    /// <summary>Whether a tensor is the float64 one within the bar.</summary>
    /// <param name="name">Its name, for the message.</param>
    /// <param name="got">In float32.</param>
    /// <param name="expected">In float64.</param>
    /// <param name="meaning">What a difference means, in a sentence.</param>
    public static PropertyOutcome Same(string name, Tensor got, Tensor expected, string meaning)
    {
        var scale = expected.numel() == 0 ? 0 : expected.detach().to(ScalarType.Float64).abs().max().item<double>();
        return PropertyOutcome.Of(TensorComparison.Compare(name, got, expected, Tolerance * Math.Max(scale, 1e-3), 0), meaning);
    }
}
