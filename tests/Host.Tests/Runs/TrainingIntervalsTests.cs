using Zoo.Host.Runs;

namespace Zoo.Tests.Runs;

internal sealed class TrainingIntervalsTests
{
    [TestCase(167_693L, 7291L, 1L, 7291L, TestName = "Evaluation_ManyPasses_IsEachPass")]
    [TestCase(1000L, 7291L, 1L, 100L, TestName = "Evaluation_LessThanAPass_IsTenARun")]
    [TestCase(1000L, null, 32L, 100L, TestName = "Evaluation_EndlessData_IsTenARun")]
    [TestCase(5000L, 100L, 10L, 500L, TestName = "Evaluation_VeryManyPasses_IsTenARun")]
    [TestCase(3L, null, 1L, 1L, TestName = "Evaluation_FewSteps_IsEachStep")]
    [TestCase(0L, null, 1L, 1L, TestName = "Evaluation_NoSteps_IsValid")]
    public void Evaluation(long steps, long? examples, long examplesAStep, long expected) =>
        Assert.That(TrainingIntervals.Evaluation(steps, examples, examplesAStep), Is.EqualTo(expected));

    [TestCase(167_693L, 838L)]
    [TestCase(40L, 1L)]
    [TestCase(0L, 1L)]
    public void Record_AnyRun_IsAboutTwoHundredARun(long steps, long expected) => Assert.That(TrainingIntervals.Record(steps), Is.EqualTo(expected));
}
