using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>The op gives the outputs that it declares, finite, and the same bits when it runs again.</summary>
internal sealed class OpRunsProperty : IOpProperty
{
    public string Name => "runs";

    public PropertyOutcome Check(OpSubject subject)
    {
        foreach (var withOptional in subject.WithOptional)
        {
            var inputs = subject.Inputs(withOptional, ScalarType.Float32);
            var outputs = subject.Run(inputs);
            var undeclared = outputs.Keys.Except(subject.Op.Outputs).ToList();
            if (undeclared.Count > 0)
                return PropertyOutcome.Fails($"It gives {Words.List(undeclared)}, which it does not declare as outputs.");
            if (outputs.Count == 0)
                return PropertyOutcome.Fails("It gives no outputs.");
            var again = subject.Run(inputs);
            foreach (var (name, output) in outputs)
            {
                if (output.is_floating_point() && !output.isfinite().all().item<bool>())
                    return PropertyOutcome.Fails($"The output '{name}' has elements that are NaN or infinite.");
                var comparison = TensorComparison.Compare(name, again[name], output, 0, 0);
                if (comparison.Problem is not null)
                    return PropertyOutcome.Of(comparison, "A second call gives other numbers.");
            }
        }
        return PropertyOutcome.Holds;
    }
}
