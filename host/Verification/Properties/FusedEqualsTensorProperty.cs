using TorchSharp;
using Zoo.Architectures;
using Zoo.Host.Training;
using Zoo.Kernels;
using Zoo.Tasks;
using Zoo.Training;
using static TorchSharp.torch;

namespace Zoo.Host.Verification.Properties;

/// <summary>Whole training steps in one kernel change the parameters as the same steps of tensor operations do, and report the same losses.</summary>
/// <remarks>
/// Per parameter, the norm of the difference over the norm of what training changed: at most 1e-2. Float32 measures about 1e-5 with plain
/// gradient descent, and more with AdamW, which blows up the rounding of gradients near zero.
/// </remarks>
internal sealed class FusedEqualsTensorProperty : IModelProperty
{
    private const int Steps = 12;
    private const double Tolerance = 1e-2;

    /// <summary>What the model's own settings leave unsaid.</summary>
    private static readonly TrainingSettings Defaults = new()
    {
        Optimizer = OptimizerKind.Sgd,
        LearningRate = 0.05,
        Schedule = ScheduleKind.Constant,
        FinalLearningRateFactor = 1,
        WarmupSteps = 0,
        WarmupStartFactor = 0,
        StepFactor = 1,
        StepAt = [],
        WeightDecay = 0,
        Momentum = 0,
        Beta1 = 0.9,
        Beta2 = 0.999,
        Epsilon = 1e-8,
        GradientClip = 0,
        BatchSize = 1,
        Accumulate = 1,
        Steps = Steps,
        Shuffle = false,
    };

    public string Name => "fused-equals-tensor";

    public bool AppliesTo(ModelOutline outline) => outline.FusedStepName is not null;

    public PropertyOutcome Check(ModelSubject subject)
    {
        using var initial = subject.Build();
        var fused = (IFusedTraining)initial;
        var own = (subject.Config.Training with { Steps = Steps, Passes = null }).Over(Defaults);
        TrainingSettings[] tried = [own, Defaults];
        if (Array.Find(tried, s => fused.RejectFused(s, subject.Device) is null) is not { } settings)
            return PropertyOutcome.CannotAsk($"{fused.FusedStepName} takes neither the preset's settings nor plain gradient descent: {fused.RejectFused(Defaults, subject.Device)}.");

        var examples = subject.Examples(initial, count: Math.Min(64, Steps * settings.BatchSize!.Value));
        using var inOne = subject.Build();
        using var apart = subject.Build();
        var gotLosses = Train(inOne, subject.Device.type == DeviceType.CUDA ? KernelChoice.Cuda : "cpu");
        var expectedLosses = Train(apart, KernelChoice.Reference);
        var outcome = PropertyOutcome.Of(
            TensorComparison.Compare("losses", tensor(gotLosses), tensor(expectedLosses), 1e-4, 1e-3), "The losses of the steps differ.");
        var start = ModelParameters.ByUpstreamName(initial);
        var got = ModelParameters.ByUpstreamName(inOne);
        using var noGradient = no_grad();
        foreach (var (name, expected) in ModelParameters.ByUpstreamName(apart))
        {
            if (!expected.is_floating_point())
                continue;
            var comparison = TensorComparison.Compare(name, got[name], expected, double.MaxValue, 0);
            var moved = (expected - start[name]).norm().to(ScalarType.Float64).item<double>();
            var error = (got[name] - expected).norm().to(ScalarType.Float64).item<double>();
            var allowed = Tolerance * moved + 1e-6;
            outcome = PropertyOutcome.Worse(outcome, PropertyOutcome.Of(comparison, "") with
            {
                Problem = error <= allowed ? null : $"After {Steps} steps {name} is {TensorComparison.Format(error)} away from where tensor operations " +
                    $"take it; they move it by {TensorComparison.Format(moved)}.",
            });
        }
        return outcome;

        double[] Train(Model model, string backend)
        {
            using var data = new RepeatedExamples(examples, new TaskShape(model.Kind));
            using var trainer = new Trainer(model, data, settings, new TrainerOptions
            {
                Device = subject.Device,
                Kernels = KernelChoice.Parse($"{fused.FusedStepName}={backend}"),
            });
            var reports = new List<StepReport>();
            while (trainer.StepsDone < Steps)
                trainer.Advance(Steps - trainer.StepsDone, reports);
            return [.. reports.Select(r => r.Loss)];
        }
    }
}
