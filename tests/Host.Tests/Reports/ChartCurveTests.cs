using Zoo.Host.Reports;

namespace Zoo.Tests.Reports;

internal sealed class ChartCurveTests
{
    [Test]
    public void Smooth_StraightLine_StaysWhereItIsUpToItsLastPieces()
    {
        var line = Enumerable.Range(0, 200).Select(i => 3.0 * i).ToArray();
        var smooth = ChartCurve.Smooth(line);
        Assert.That(smooth[..195], Is.EqualTo(line[..195]).Within(1e-9));
        Assert.That(smooth[^1], Is.EqualTo(3 * 196.5).Within(1e-9), "the mean of the last six");
    }

    [Test]
    public void Smooth_Noise_Shrinks([Values(0, 199)] int at)
    {
        var noise = Enumerable.Range(0, 200).Select(i => i % 2 == 0 ? 1.0 : -1.0).ToArray();
        Assert.That(ChartCurve.Smooth(noise).Skip(5).Select(Math.Abs), Is.All.LessThan(0.2));
        Assert.That(Math.Abs(ChartCurve.Smooth(noise)[at]), at == 0 ? Is.EqualTo(1) : Is.LessThan(0.2));
    }

    [Test]
    public void Points_ManyMoreThanALineCanShow_KeepsFirstAndLast()
    {
        var x = Enumerable.Range(0, 100_000).Select(i => (double)i).ToArray();
        var points = new ChartCurve("c", x, x).Points().ToList();
        Assert.That(points, Has.Count.InRange(500, 700));
        Assert.That((points[0].X, points[^1].X), Is.EqualTo((0.0, 99_999.0)));
    }
}
