using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Tests.Training;

/// <summary>The same with a whole step in one piece: the gradient written by hand.</summary>
internal sealed class FusedSoftmaxRegression : SoftmaxRegression, IFusedTraining
{
    /// <summary>How many steps each call ran.</summary>
    public List<int> Calls { get; } = [];

    public string FusedStepName => "fused_softmax_step";

    public string? RejectFused(TrainingSettings settings, Device device) =>
        settings.Optimizer == OptimizerKind.Sgd && settings.GradientClip == 0 && settings.WeightDecay == 0 ? null : "it is written for plain SGD";

    public void RunFused(FusedSteps steps)
    {
        using var noGradients = no_grad();
        var all = (ImageBatch)steps.Examples;
        Calls.Add(steps.Losses.Length);
        for (var i = 0; i < steps.Losses.Length; i++)
        {
            var x = all.Images.narrow(0, i * steps.BatchSize, steps.BatchSize).flatten(1);
            var labels = all.Labels.narrow(0, i * steps.BatchSize, steps.BatchSize);
            var logProbabilities = nn.functional.log_softmax(x.mm(Weight.t()), 1);
            var wanted = nn.functional.one_hot(labels, 3).to(float32);
            steps.Losses[i] = -(logProbabilities * wanted).sum().item<float>() / steps.BatchSize;
            var gradient = (logProbabilities.exp() - wanted).t().mm(x) / steps.BatchSize;
            Weight.sub_(gradient * steps.LearningRates[i]);
        }
    }
}
