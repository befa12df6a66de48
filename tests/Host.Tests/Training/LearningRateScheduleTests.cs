using Zoo.Host.Training;
using Zoo.Training;

namespace Zoo.Tests.Training;

internal sealed class LearningRateScheduleTests
{
    [TestCase(ScheduleKind.Constant, 1.0, 1.0, 1.0)]
    [TestCase(ScheduleKind.Linear, 1.0, 0.55, 0.1)]
    [TestCase(ScheduleKind.Cosine, 1.0, 0.55, 0.1)]
    [TestCase(ScheduleKind.Step, 1.0, 0.5, 0.5)]
    [TestCase(ScheduleKind.CosineStep, 1.0, 0.275, 0.05)]
    public void At_FirstMiddleLastStep_FollowsTheSchedule(ScheduleKind kind, double first, double middle, double last)
    {
        var schedule = new LearningRateSchedule(TestSettings.Complete with { Schedule = kind, LearningRate = 2 }, stepCount: 101);

        Assert.That(schedule.At(0), Is.EqualTo(2 * first).Within(1e-12));
        Assert.That(schedule.At(51), Is.EqualTo(2 * middle).Within(kind is ScheduleKind.Linear or ScheduleKind.Cosine or ScheduleKind.CosineStep ? 0.04 : 1e-12));
        Assert.That(schedule.At(100), Is.EqualTo(2 * last).Within(1e-12));
    }

    [Test]
    public void At_Warmup_RisesFromTheStartFactorToThePeak()
    {
        var schedule = new LearningRateSchedule(
            TestSettings.Complete with { LearningRate = 1, WarmupSteps = 4, WarmupStartFactor = 0.2, Schedule = ScheduleKind.Cosine }, 105);

        Assert.That(Enumerable.Range(0, 5).Select(s => schedule.At(s)), Is.EqualTo([0.2, 0.4, 0.6, 0.8, 1.0]).Within(1e-12));
        Assert.That(schedule.At(54), Is.EqualTo(0.55).Within(1e-12), "half way through the cosine");
    }

    [Test]
    public void At_SeveralMilestones_MultipliesTheFactor()
    {
        var schedule = new LearningRateSchedule(
            TestSettings.Complete with { LearningRate = 8, Schedule = ScheduleKind.Step, StepFactor = 0.5, StepAt = [0.25, 0.5, 0.75] }, 100);

        Assert.That(new[] { 24L, 25, 50, 75, 99 }.Select(schedule.At), Is.EqualTo([8.0, 4, 2, 1, 1]).Within(1e-12));
    }

    [Test]
    public void At_WarmupLongerThanTheRun_StaysInWarmup() =>
        Assert.That(new LearningRateSchedule(TestSettings.Complete with { LearningRate = 1, WarmupSteps = 10 }, 5).At(4), Is.EqualTo(0.4).Within(1e-12));

    [TestCase(null, 3.0, 8, 1, 15)]
    [TestCase(null, 1.0, 16, 2, 2)]
    [TestCase(7L, null, 8, 1, 7)]
    [TestCase(null, 0.0, 8, 1, 0)]
    public void StepsOf_StepsOrPasses_CountsSteps(long? steps, double? passes, int batch, int accumulate, long expected) =>
        Assert.That(
            Trainer.StepsOf(TestSettings.Complete with { Steps = steps, Passes = passes, BatchSize = batch, Accumulate = accumulate }, 40),
            Is.EqualTo(expected));
}
