using Zoo.Host.Training;

namespace Zoo.Tests.Training;

internal sealed class ExampleOrderTests
{
    [Test]
    public void Fill_Sequential_WrapsAtThePass() =>
        Assert.That(Take(new ExampleOrder(5, shuffle: false, seed: 1), 3, 5), Is.EqualTo([3, 4, 0, 1, 2]));

    [Test]
    public void Fill_Endless_CountsOn() =>
        Assert.That(Take(new ExampleOrder(null, shuffle: true, seed: 1), 1_000_000_000_000, 2), Is.EqualTo([1_000_000_000_000, 1_000_000_000_001]));

    [Test]
    public void Fill_Shuffled_EachPassHasEveryExampleOnceInItsOwnOrder()
    {
        var order = new ExampleOrder(100, shuffle: true, seed: 7);
        var first = Take(order, 0, 100);
        var second = Take(order, 100, 100);

        Assert.That(first, Is.EquivalentTo(Enumerable.Range(0, 100)).And.Not.Ordered);
        Assert.That(second, Is.EquivalentTo(Enumerable.Range(0, 100)).And.Not.EqualTo(first));
        Assert.That(Take(new ExampleOrder(100, shuffle: true, seed: 8), 0, 100), Is.Not.EqualTo(first));
    }

    [Test]
    public void Fill_FromTheMiddle_EqualsTheWholeStream()
    {
        var whole = Take(new ExampleOrder(30, shuffle: true, seed: 2), 0, 100);

        Assert.That(Take(new ExampleOrder(30, shuffle: true, seed: 2), 53, 20), Is.EqualTo(whole[53..73]));
    }

    [Test]
    public void Permutation_SmallCount_IsUniform()
    {
        var counts = Enumerable.Range(0, 12_000).GroupBy(pass => string.Join("", RandomStreams.Permutation(1, pass, 3))).ToList();

        Assert.That(counts, Has.Count.EqualTo(6));
        Assert.That(counts.Select(g => g.Count()), Is.All.InRange(1850, 2150), "2,000 each; four standard deviations are 163");
    }

    private static long[] Take(ExampleOrder order, long position, int count)
    {
        var indices = new long[count];
        order.Fill(position, indices);
        return indices;
    }
}
