using Zoo.Architectures;
using Zoo.Host.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>
/// With bfloat16 products, outputs and gradients are float32's but for rounding, and parameters stay float32 to train on; with matrices stored
/// as bfloat16, outputs are so too.
/// </summary>
/// <remarks>
/// A factor rounded to bfloat16 is off by at most 2^-9 of itself. In terms of norms a few layers measure about 5e-3 for outputs and 1e-2 for
/// the whole gradient; allowed is ten times that, because roundings grow with depth. A model that ignores the type has no difference at all,
/// and that is a failure too: it would claim a speed that it does not have.
/// </remarks>
internal sealed class BFloat16Property : IModelProperty
{
    private const double OutputTolerance = 5e-2;
    private const double GradientTolerance = 1e-1;

    public string Name => "bfloat16";

    public bool AppliesTo(ArchitectureInfo info) => info.Abilities.HasFlag(ModelAbilities.BFloat16);

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var single = subject.Build();
        using var half = subject.BuildBFloat16();
        var otherType = half.named_parameters().Where(p => p.parameter.dtype != ScalarType.Float32).Select(p => p.name).ToList();
        if (otherType.Count > 0)
            return PropertyOutcome.Fails($"{Words.List(otherType)} are not created in float32, so that there are no master weights to train.");
        single.eval();
        half.eval();
        var batch = subject.Examples(single, count: 3);
        var expected = Outputs(single);
        var outcome = Compare(Outputs(half), "With bfloat16 products the outputs are");
        if (outcome.Problem is null && outcome.MaxAbsoluteError == 0)
            return PropertyOutcome.Fails("With bfloat16 products the outputs are float32's, bit by bit: no product asks for the run's arithmetic.");
        if (outcome.Problem is null)
            outcome = PropertyOutcome.Worse(outcome, Gradient());
        WeightStorage.RoundToBFloat16(half);
        return PropertyOutcome.Worse(outcome, Compare(Outputs(half), "With matrices stored as bfloat16 the outputs are"));

        Tensor Outputs(Model model)
        {
            using var noGradient = no_grad();
            return model.Run(batch).Outputs.to(ScalarType.Float64);
        }

        PropertyOutcome Compare(Tensor got, string subjectOfSentence)
        {
            var error = Norm(got - expected) / Math.Max(Norm(expected), double.Epsilon);
            var outcome = PropertyOutcome.Of(TensorComparison.Compare("outputs", got, expected, double.MaxValue, 0), "");
            return error <= OutputTolerance ? outcome : outcome with
            {
                Problem = $"{subjectOfSentence} {TensorComparison.Format(error)} of their size away from float32's; " +
                    $"{TensorComparison.Format(OutputTolerance)} is allowed.",
            };
        }

        PropertyOutcome Gradient()
        {
            var (wanted, got) = (ModelGradients.OfLoss(single, batch), ModelGradients.OfLoss(half, batch));
            if (wanted.Keys.FirstOrDefault(name => !got.ContainsKey(name)) is { } unreached)
                return PropertyOutcome.Fails($"A gradient reaches {unreached} in float32 and not with bfloat16 products.");
            var difference = Math.Sqrt(wanted.Sum(g => Square(got[g.Key] - g.Value)));
            var error = difference / Math.Max(Math.Sqrt(wanted.Values.Sum(Square)), double.Epsilon);
            return error <= GradientTolerance ? PropertyOutcome.Holds
                : PropertyOutcome.Fails($"With bfloat16 products the gradient is {TensorComparison.Format(error)} of its size away from float32's; " +
                    $"{TensorComparison.Format(GradientTolerance)} is allowed.");
        }
    }

    private static double Norm(Tensor tensor) => Math.Sqrt(Square(tensor));

    private static double Square(Tensor tensor) => tensor.to(ScalarType.Float64).square().sum().item<double>();
}
