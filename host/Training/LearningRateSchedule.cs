using Zoo.Training;

namespace Zoo.Host.Training;

/// <summary>The learning rate of each step: linear warm-up, then the schedule, which ends with the last step.</summary>
/// <param name="settings">Complete settings.</param>
/// <param name="stepCount">Steps of the whole run.</param>
internal sealed class LearningRateSchedule(TrainingSettings settings, long stepCount)
{
    private readonly double _peak = settings.LearningRate!.Value;
    private readonly double _final = settings.FinalLearningRateFactor!.Value;
    private readonly double _warmupStart = settings.WarmupStartFactor!.Value;
    private readonly long _warmup = settings.WarmupSteps!.Value;

    /// <summary>The rate of the step after <paramref name="stepsDone"/> steps.</summary>
    public double At(long stepsDone)
    {
        if (stepsDone < _warmup)
            return _peak * (_warmupStart + (1 - _warmupStart) * stepsDone / _warmup);
        var stepsAfterWarmup = stepCount - 1 - _warmup;
        var progress = stepsAfterWarmup > 0 ? Math.Min(1, (double)(stepsDone - _warmup) / stepsAfterWarmup) : 0;
        return _peak * settings.Schedule!.Value switch
        {
            ScheduleKind.Constant => 1,
            ScheduleKind.Linear => 1 + (_final - 1) * progress,
            ScheduleKind.Cosine => Cosine(),
            ScheduleKind.Step => Steps(),
            ScheduleKind.CosineStep => Cosine() * Steps(),
            var other => throw new ArgumentOutOfRangeException(nameof(settings), other, "no such schedule"),
        };

        double Cosine() => _final + (1 - _final) * (1 + Math.Cos(Math.PI * progress)) / 2;

        double Steps() => Math.Pow(settings.StepFactor!.Value, settings.StepAt!.Count(f => stepsDone >= f * stepCount));
    }
}
