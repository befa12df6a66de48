using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Gradients in float32, on the chosen backends, equal those in float64 on the reference backends.</summary>
/// <remarks>
/// Per parameter, the norm of the difference over the norm of the gradient: at most 1e-3, where float32 rounding measures about 1e-6.
/// Where roundings pass gradients straight through, a value may round the other way in float32; there it is 5e-2.
/// </remarks>
internal sealed class Float64GradientProperty : IModelProperty
{
    private const double Tolerance = 1e-3;
    private const double RoundedTolerance = 5e-2;

    public string Name => "gradient-float64";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var single = subject.Build();
        using var exact = subject.BuildFloat64();
        single.eval();
        exact.eval();
        var batch = subject.Examples(single, count: 3);
        var got = ModelGradients.OfLoss(single, batch);
        var expected = ModelGradients.OfLoss(exact, ModelSubject.ToFloat64(batch));
        var floor = 1e-6 * expected.Values.Select(Norm).DefaultIfEmpty(0).Max();   // rounding noise of gradients that cancel to nothing
        var allowed = subject.Info.HasExactGradient ? Tolerance : RoundedTolerance;
        var outcome = PropertyOutcome.Holds;
        foreach (var (name, wanted) in expected)
        {
            if (got.Find(name) is not { } gradient)
                return PropertyOutcome.Fails($"A gradient reaches {name} in float64 and not in float32.");
            var difference = gradient.to(ScalarType.Float64) - wanted;
            var error = Norm(difference) / (Norm(wanted) + floor + double.Epsilon);
            var comparison = TensorComparison.Compare($"grad.{name}", gradient, wanted, double.MaxValue, 0);
            var one = PropertyOutcome.Of(comparison, "");
            if (!(error <= allowed))
            {
                one = one with
                {
                    Problem = $"The gradient of {name} is {TensorComparison.Format(error)} of its size away from float64; " +
                        $"{TensorComparison.Format(allowed)} is allowed.",
                };
            }
            outcome = PropertyOutcome.Worse(outcome, one);
        }
        return outcome;
    }

    private static double Norm(Tensor tensor) => tensor.to(ScalarType.Float64).norm().item<double>();
}
