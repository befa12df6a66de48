using Zoo.Host.Reports;

namespace Zoo.Tests.Reports;

internal sealed class FiguresTests
{
    [TestCase(null, "–")]
    [TestCase(0.0, "0")]
    [TestCase(4.3, "4.3")]
    [TestCase(0.0406049, "0.0406")]
    [TestCase(5.93987, "5.94")]
    [TestCase(123.456, "123.5")]
    [TestCase(30264.7, "30,265")]
    [TestCase(-2.0, "-2")]
    [TestCase(0.00001234, "1.234e-5")]
    [TestCase(1.5e17, "1.5e+17")]
    [TestCase(double.NaN, "not a number")]
    public void Number_AnyValue_HasFourDigits(double? value, string expected) => Assert.That(Figures.Number(value), Is.EqualTo(expected));

    [TestCase("test_error_percent", 5.9298, "5.93")]
    [TestCase("test_error_percent", 4.0, "4.00")]
    [TestCase("test_error_percent", 0.0123, "0.0123")]
    [TestCase("test_loss", 4.0, "4")]
    public void Metric_Percentages_LineUp(string name, double value, string expected) => Assert.That(Figures.Metric(name, value), Is.EqualTo(expected));

    [TestCase("test_error_percent", 4.409, 0.0352, "4.41 ± 0.04")]
    [TestCase("test_loss", 0.12354, 0.00678, "0.1235 ± 0.0068")]
    [TestCase("steps_to_target", 41.5, null, "41.5")]
    [TestCase("steps_to_target", null, null, "–")]
    public void MeanAndDeviation_AnyMetric_HasAsManyDigitsAsMeanAnything(string name, double? mean, double? deviation, string expected) =>
        Assert.That(Figures.MeanAndDeviation(name, mean, deviation), Is.EqualTo(expected));

    [TestCase("test_error_percent", "Test error, %")]
    [TestCase("valid_perplexity", "Valid perplexity")]
    [TestCase("_percent", "_percent")]
    [TestCase("", "")]
    public void MetricTitle_Name_IsWords(string name, string expected) => Assert.That(Figures.MetricTitle(name), Is.EqualTo(expected));

    [Test]
    public void Short_CutAtAPairOfHalves_KeepsNoHalf() => Assert.That(Figures.Short("ab😀cd", 4), Is.EqualTo("ab…"));
}
