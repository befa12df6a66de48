using Zoo.Host.Benchmarks;

namespace Zoo.Host.Tests.Benchmarks;

public sealed class TurnByTurnTests
{
    [TestCase(409, 1.0)]
    [TestCase(409, 1.3)]
    public void LateOverEarly_MachineThatSlowsDown_SaysWhatTheTokensCost(int count, double growth)
    {
        var clock = 0;
        double[] Tokens(int turn, double cost) => [.. Enumerable.Range(0, turn).Select(_ => cost * (++clock > count * 2 / 3 ? 3 : 1))];      // of 2 · count tokens two thirds on a slower machine
        var ratio = TurnByTurn.LateOverEarly(count, turn => Tokens(turn, growth), turn => Tokens(turn, 1));
        Assert.That(ratio, Is.EqualTo(growth).Within(1e-9));
    }

    [Test]
    public void LateOverEarly_FirstTokenOfATurn_IsNotCounted()
    {
        double[] Tokens(int turn) => [100, .. Enumerable.Repeat(1.0, turn - 1)];
        Assert.That(TurnByTurn.LateOverEarly(40, Tokens, turn => [.. Enumerable.Repeat(1.0, turn)]), Is.EqualTo(1));
    }

    [TestCase(1)]
    [TestCase(17)]
    public void LateOverEarly_AnyCount_DecodesAsManyOfEach(int count)
    {
        var (late, early) = (0, 0);
        TurnByTurn.LateOverEarly(count, turn => Count(ref late, turn), turn => Count(ref early, turn));
        Assert.That((late, early), Is.EqualTo((count, count)));

        static double[] Count(ref int total, int turn)
        {
            total += turn;
            return new double[turn].Select(_ => 1.0).ToArray();
        }
    }
}
