using Zoo.Host.Reports;

namespace Zoo.Tests.Reports;

internal sealed class AxisTests
{
    [TestCase(new[] { 0.0, 30000 }, false, "0 5,000 10,000 15,000 20,000 25,000 30,000")]
    [TestCase(new[] { 3.7, 9.1 }, false, "0 2 4 6 8 10")]
    [TestCase(new[] { 90.2, 91.7 }, false, "90.0 90.5 91.0 91.5 92.0")]
    [TestCase(new[] { -0.02, 0.03 }, false, "-0.02 -0.01 0.00 0.01 0.02 0.03")]
    [TestCase(new[] { 0.002, 3.0 }, true, "0.003 0.01 0.03 0.1 0.3 1 3")]
    [TestCase(new[] { 1.0, 1e6 }, true, "1 10 100 1,000 10,000 100,000 1,000,000")]
    public void Fit_Values_MarksRoundNumbers(double[] values, bool logarithmic, string labels) =>
        Assert.That(string.Join(' ', Axis.Fit(values, logarithmic, tight: false, 0, 100, ticks: 6).Ticks.Select(t => t.Label)), Is.EqualTo(labels));

    [Test]
    public void Fit_AnyValues_HasDistinctTicksInsideAndInOrder(
        [Values(1e-12, 1e-3, 1.0, 7.3, 1e5, 1e12, 1e80)] double low, [Values(1.0, 1.0000001, 1.3, 4, 30, 1e4, 1e15)] double ratio,
        [Values] bool logarithmic, [Values] bool tight)
    {
        var axis = Axis.Fit([low, low * ratio], logarithmic, tight, 10, 500, ticks: 6);
        Assert.That(axis.Ticks.Count, Is.InRange(1, 25));
        Assert.That(axis.Ticks.Select(t => t.Place), Is.Ordered.And.Unique);
        Assert.That(axis.Ticks.Select(t => t.Place), Is.All.InRange(9.99, 500.01));
        Assert.That(axis.At(low), Is.InRange(9.99, 500.01));
        Assert.That(axis.At(low * ratio), Is.InRange(9.99, 500.01));
    }

    [TestCase(new double[0])]
    [TestCase(new[] { double.NaN, double.PositiveInfinity, 1e300 })]
    public void Fit_NothingToShow_GivesAnAxisAllTheSame(double[] values) =>
        Assert.That(Axis.Fit(values, logarithmic: true, tight: false, 0, 100, ticks: 5).Ticks, Is.Not.Empty);

    [Test]
    public void Fit_LogarithmicWithoutPositiveValues_IsLinear() =>
        Assert.That(Axis.Fit([0, -3], logarithmic: true, tight: false, 0, 100, ticks: 5).IsLogarithmic, Is.False);
}
