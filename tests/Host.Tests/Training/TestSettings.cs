using Zoo.Training;

namespace Zoo.Tests.Training;

/// <summary>Complete settings to vary.</summary>
internal static class TestSettings
{
    public static TrainingSettings Complete { get; } = new()
    {
        Optimizer = OptimizerKind.AdamW,
        LearningRate = 0.01,
        Schedule = ScheduleKind.Constant,
        FinalLearningRateFactor = 0.1,
        WarmupSteps = 0,
        WarmupStartFactor = 0,
        StepFactor = 0.5,
        StepAt = [0.5],
        WeightDecay = 0.01,
        Momentum = 0,
        Beta1 = 0.9,
        Beta2 = 0.99,
        Epsilon = 1e-8,
        GradientClip = 1,
        BatchSize = 8,
        Accumulate = 1,
        Steps = 20,
        Shuffle = true,
    };
}
