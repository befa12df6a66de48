using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Outputs and loss are finite numbers of the shape that the kind promises, in training and in evaluation mode.</summary>
internal sealed class FiniteOutputsProperty : IModelProperty
{
    public string Name => "finite-outputs";

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var model = subject.Build();
        using var noGradient = no_grad();
        var batch = subject.Examples(model, count: 4);
        foreach (var training in (bool[])[false, true])
        {
            model.train(training);
            var mode = training ? "training" : "evaluation";
            var output = model.Run(batch);
            if (output.Loss.numel() != 1)
                return PropertyOutcome.Fails($"The loss is {Shape.Describe(output.Loss.shape)} in {mode} mode; it must be one number.");
            if (output.Outputs.shape is [] || output.Outputs.shape[0] != batch.TargetCount)
            {
                return PropertyOutcome.Fails($"The outputs are {Shape.Describe(output.Outputs.shape)} in {mode} mode; " +
                    $"their first axis must be the {batch.TargetCount} targets of the batch.");
            }
            if (!output.Outputs.isfinite().all().item<bool>())
                return PropertyOutcome.Fails($"{output.Outputs.isfinite().logical_not().sum().item<long>()} outputs are NaN or infinite in {mode} mode.");
            if (!output.Loss.isfinite().all().item<bool>())
                return PropertyOutcome.Fails($"The loss is {output.Loss.to(ScalarType.Float64).item<double>()} in {mode} mode.");
        }
        return PropertyOutcome.Holds;
    }
}
