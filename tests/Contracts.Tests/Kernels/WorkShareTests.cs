using Zoo.Kernels.Cpu;

namespace Zoo.Tests.Kernels;

[NonParallelizable]
public sealed class WorkShareTests
{
    [TearDown]
    public void OneThreadAgain() => WorkShare.Threads = 1;

    [Test]
    public void For_AnyThreadsAndCount_RunsEachPieceOnce([Values(1, 2, 3, 8)] int threads, [Values(0, 1, 2, 1000)] int count)
    {
        WorkShare.Threads = threads;
        var runs = new int[count];
        for (var repeat = 0; repeat < 20; repeat++)
            WorkShare.For(count, i => Interlocked.Increment(ref runs[i]));
        Assert.That(runs, Is.All.EqualTo(20));
    }

    [Test]
    public void For_TwoThreads_BothWork()
    {
        WorkShare.Threads = 2;
        using var both = new Barrier(2);
        WorkShare.For(2, _ => Assert.That(both.SignalAndWait(TimeSpan.FromSeconds(20)), "the pieces ran one after the other"));
    }

    /// <summary>The end of one region and the start of the next must not meet: it once let a region return before its pieces were done.</summary>
    [Test]
    public void For_RegionsInARow_EachEndsAfterItsPieces()
    {
        WorkShare.Threads = 4;
        for (var region = 0; region < 20_000; region++)
        {
            var done = 0;
            WorkShare.For(4, _ => Interlocked.Increment(ref done));
            if (done != 4)
                Assert.Fail($"region {region} returned with {done} of 4 pieces done");
        }
    }

    [Test]
    public void For_PieceThrows_OthersRunAndItArrives()
    {
        WorkShare.Threads = 2;
        var done = 0;
        Assert.That(() => WorkShare.For(10, i =>
        {
            if (i == 3)
                throw new InvalidOperationException("planted");
            Interlocked.Increment(ref done);
        }), Throws.TypeOf<AggregateException>());
        Assert.That(done, Is.EqualTo(9));
        WorkShare.For(10, _ => Interlocked.Increment(ref done));
        Assert.That(done, Is.EqualTo(19));
    }

    [Test]
    public void For_Nested_RunsWhereItIs()
    {
        WorkShare.Threads = 2;
        var done = 0;
        WorkShare.For(4, _ => WorkShare.For(4, _ => Interlocked.Increment(ref done)));
        Assert.That(done, Is.EqualTo(16));
    }
}
