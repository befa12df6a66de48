using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>In evaluation mode an example's outputs do not depend on the others in its batch, nor on how many there are.</summary>
/// <remarks>Products of other sizes may sum in another order, hence a tolerance: 1e-5 of the largest output; float32 measures 1e-6.</remarks>
internal sealed class RowsIndependentProperty : IModelProperty
{
    private const double Tolerance = 1e-5;

    public string Name => "rows-independent";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        model.eval();
        using var noGradient = no_grad();
        var batch = subject.Examples(model, count: 4);
        var together = model.Run(batch).Outputs;
        var rowsEach = together.shape[0] / batch.Count;
        var allowed = Tolerance * Math.Max(1, together.abs().max().to(ScalarType.Float64).item<double>());
        var outcome = PropertyOutcome.Holds;
        for (var row = 0; row < batch.Count; row++)
        {
            var alone = model.Run(ModelSubject.Rows(batch, row)).Outputs;
            var comparison = TensorComparison.Compare("outputs", together.narrow(0, row * rowsEach, rowsEach), alone, allowed, 0);
            outcome = PropertyOutcome.Worse(outcome, PropertyOutcome.Of(
                comparison, $"Example {row} of a batch of {batch.Count} has other outputs than alone."));
        }
        return outcome;
    }
}
