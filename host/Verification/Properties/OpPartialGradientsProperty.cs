using Zoo.Kernels;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>
/// Kernels are right where not everything is asked of them: no gradient at all, that of one argument alone (the others are frozen), and a loss
/// that uses one output alone. What is not wanted or not there is a null pointer then.
/// </summary>
/// <remarks>As <see cref="OpFloat64Property"/>, against the reference in float64 and with its bars.</remarks>
internal sealed class OpPartialGradientsProperty : IOpProperty
{
    public string Name => "partial-gradients";

    public bool AppliesTo(Op op) => op.HasExactGradient && op.Kernels.Count > 0 && op.Arguments.Any(a => a.HasGradient);

    public PropertyOutcome Check(OpSubject subject)
    {
        var outcome = PropertyOutcome.Holds;
        foreach (var withOptional in subject.WithOptional)
        {
            var given = subject.Inputs(withOptional, ScalarType.Float32);
            var learned = given.Where(i => i.Value.requires_grad).Select(i => i.Key).ToList();
            var outputs = subject.RunReference(given).Where(o => o.Value.requires_grad).Select(o => o.Key).ToList();
            if (outputs.Count == 0)
                continue;
            Ask("No gradient was wanted.", [], outputs);
            foreach (var name in learned)
                Ask($"The gradient of '{name}' alone was wanted.", [name], outputs);
            if (outputs.Count > 1)
            {
                foreach (var name in outputs)
                    Ask($"The loss used the output '{name}' alone.", learned, [name]);
            }

            void Ask(string what, IReadOnlyList<string> wanted, IReadOnlyList<string> used)
            {
                if (outcome.Problem is null)
                    outcome = PropertyOutcome.Worse(outcome, Compare(subject, withOptional, what, wanted, used));
            }
        }
        return outcome;
    }

    private static PropertyOutcome Compare(OpSubject subject, bool withOptional, string what, IReadOnlyList<string> wanted, IReadOnlyList<string> used)
    {
        using var scope = NewDisposeScope();
        var (got, expected) = (Inputs(ScalarType.Float32), Inputs(ScalarType.Float64));
        NamedTensors gotOutputs;
        try
        {
            gotOutputs = subject.Run(got);
            Backward(gotOutputs);
        }
        catch (Exception e) when (e is not (UserException or EnvironmentException or OperationCanceledException or OutOfMemoryException))
        {
            return PropertyOutcome.Fails($"{what} Then the kernel threw {e.GetType().Name}: {e.Message.Split('\n')[0]} (An array that is not wanted, or not there, is a null pointer.)");
        }
        var expectedOutputs = subject.RunReference(expected);
        Backward(expectedOutputs);

        var outcome = PropertyOutcome.Holds;
        foreach (var (name, output) in expectedOutputs)
        {
            if (gotOutputs.Find(name) is { } mine)
                outcome = PropertyOutcome.Worse(outcome, OpFloat64Property.Same($"out.{name}", mine, output, what));
        }
        foreach (var name in wanted)
        {
            if (expected[name].grad is not { } gradient)
                continue;
            if (got[name].grad is not { } mine)
                return PropertyOutcome.Fails($"{what} It reaches '{name}' in float64 and not in float32.");
            outcome = PropertyOutcome.Worse(outcome, OpFloat64Property.Same($"grad.in.{name}", mine, gradient, what));
        }
        return outcome;

        NamedTensors Inputs(ScalarType dtype) => new(subject.Inputs(withOptional, dtype)
            .Select(i => KeyValuePair.Create(i.Key, i.Value.requires_grad && !wanted.Contains(i.Key) ? i.Value.detach() : i.Value)));

        void Backward(NamedTensors outputs)
        {
            if (OpSubject.Loss(subject.Op, new(outputs.Where(o => used.Contains(o.Key)))) is { } loss)
                Gradients.Backward(loss);
        }
    }
}
