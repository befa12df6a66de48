using Zoo.Data;

namespace Zoo.Tests.Data;

/// <summary>The real sets, where they are: the readers agree with what is published of them.</summary>
[TestFixture]
public sealed class DigitDataRealTests
{
    [Test]
    public void ReadMnist_RealFiles_HasThePublishedCountsAndHistogram()
    {
        var (training, test) = DigitData.Find(RealData.Folder("mnist")).ReadMnist();
        Assert.Multiple(() =>
        {
            Assert.That(Histogram(training.Labels), Is.EqualTo(new[] { 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 }));
            Assert.That(Histogram(test.Labels), Is.EqualTo(new[] { 980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009 }));
            Assert.That(training.Pixels.Average(p => (double)p) / 255, Is.EqualTo(0.1307).Within(5e-5), "the mean that everybody normalises by");
            Assert.That(training.Labels[..5], Is.EqualTo(new byte[] { 5, 0, 4, 1, 9 }));
        });
    }

    [Test]
    public void ReadUsps_RealFiles_HasThePublishedCountsAndHistogram()
    {
        var (training, test) = DigitData.Find(RealData.Folder("usps")).ReadUsps();
        Assert.Multiple(() =>
        {
            Assert.That(Histogram(training.Labels), Is.EqualTo(new[] { 1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644 }));
            Assert.That(Histogram(test.Labels), Is.EqualTo(new[] { 359, 264, 198, 166, 200, 160, 170, 147, 166, 177 }));
            Assert.That(training.Pixels.Min(), Is.EqualTo(-1));
            Assert.That(training.Pixels.Max(), Is.EqualTo(1));
            Assert.That(training.Image(0)[7], Is.EqualTo(-0.631f), "first digit, eighth value");
        });
    }

    [Test]
    public void ReadLists_RealLists_ChooseTheDigitsOf1989()
    {
        RealData.Folder("lenet1989");
        var data = DigitData.Find(RealData.Folder("mnist"));
        var lists = data.ReadLists(60_000, 10_000)!.Value;
        Assert.That((lists.Training.Length, lists.Test.Length), Is.EqualTo((7291, 2007)));
        Assert.That(lists.Training[..3], Is.EqualTo(new[] { 6177, 36861, 23675 }));
    }

    private static int[] Histogram(byte[] labels)
    {
        var counts = new int[10];
        foreach (var label in labels)
            counts[label]++;
        return counts;
    }
}
