using Zoo.Architectures;
using Zoo.Reports;
using Zoo.Tasks;
using static TorchSharp.torch;

namespace Zoo.Tests.Tasks;

internal sealed class ClassificationMetricsTests
{
    [Test]
    public void Details_Images_CountEveryAnswerAndShowMisreadOnesMostConfidentFirst()
    {
        var metrics = new ClassificationMetrics("test");
        Add(metrics, (0, [2, 0, 0], 0f), (1, [3, 1, 0], 1f), (2, [0, 0, 1], 2f));
        Add(metrics, (2, [0, 5, 0], 3f), (0, [0, 0, 2], 4f));
        var details = metrics.Details();
        var matrix = (MatrixItem)details[0];
        var grid = (ImageGridItem)details[1];

        Assert.That(matrix.Labels, Is.EqualTo(["0", "1", "2"]));
        Assert.That(matrix.Counts, Is.EqualTo(new long[][] { [1, 0, 1], [1, 0, 0], [0, 1, 1] }));
        Assert.That(grid.Images.Select(i => i.Caption), Is.EqualTo(["2 read as 1", "1 read as 0", "0 read as 2"]));
        Assert.That((grid.Height, grid.Width), Is.EqualTo((2, 3)));
        // Pixels 0, 1 … 5 above each image's base; the kept ones have bases 3, 1 and 4, so 1 to 9 becomes 0 to 255.
        Assert.That(grid.Images[0].Pixels, Is.EqualTo(new byte[] { 64, 96, 128, 159, 191, 223 }));
        Assert.That((grid.Images[1].Pixels[0], grid.Images[2].Pixels[5]), Is.EqualTo(((byte)0, (byte)255)));
        Assert.That(metrics.Result()[1].Value, Is.EqualTo(3));
    }

    [Test]
    public void Details_ManyErrors_KeepsTheSixtyWidestMarginsAndEqualOnesInOrder()
    {
        var metrics = new ClassificationMetrics("test");
        for (var i = 0; i < 100; i++)
            Add(metrics, (0, [0, i < 70 ? 1 : 2, 0], i));
        var grid = (ImageGridItem)metrics.Details()[1];
        // Of the 30 wide ones the first is example 70; of the equal narrow ones the first 30 are kept, example 0 first.
        Assert.That(grid.Images, Has.Count.EqualTo(60));
        Assert.That(grid.Title, Does.Contain("60").And.Contain("100"));
        Assert.That(grid.Images[0].Pixels[0], Is.GreaterThan(grid.Images[30].Pixels[0]));
        Assert.That(grid.Images.Take(30).Select(i => i.Pixels[0]), Is.Ordered.And.Unique);
        Assert.That(grid.Images[30].Pixels[0], Is.Zero);
        Assert.That(grid.Images.Skip(30).Select(i => i.Pixels[0]), Is.Ordered.And.Unique);
    }

    [Test]
    public void Details_NothingMisread_HasTheMatrixAlone()
    {
        var metrics = new ClassificationMetrics("test");
        Assert.That(metrics.Details(), Is.Empty);
        Add(metrics, (1, [0, 1, 0], 0f));
        Assert.That(metrics.Details().Single(), Is.InstanceOf<MatrixItem>());
    }

    [Test]
    public void Details_ManyClasses_LeavesTheMatrixOut()
    {
        var metrics = new ClassificationMetrics("test");
        using var scope = NewDisposeScope();
        metrics.Add(new VectorBatch(zeros(1, 4, 2), tensor(new long[] { 7 })), new ModelOutput(rand(1, 101), tensor(1f)));
        Assert.That(metrics.Details(), Is.Empty);
    }

    [Test]
    public void Add_LeavesNoTensorBehind()
    {
        var metrics = new ClassificationMetrics("test");
        Add(metrics, (0, [0, 1, 0], 0f));
        var before = Tensor.TotalCount;
        for (var i = 0; i < 20; i++)
            Add(metrics, (0, [0, 1, 0], i));
        Assert.That(Tensor.TotalCount, Is.LessThanOrEqualTo(before));
    }

    /// <summary>Two-by-three images that count up from a base.</summary>
    private static void Add(ClassificationMetrics metrics, params (long Label, float[] Outputs, float Base)[] examples)
    {
        using var scope = NewDisposeScope();
        var pixels = examples.SelectMany(e => Enumerable.Range(0, 6).Select(i => e.Base + i)).ToArray();
        using var batch = new ImageBatch(tensor(pixels, [examples.Length, 1, 2, 3]), tensor(examples.Select(e => e.Label).ToArray()));
        metrics.Add(batch, new ModelOutput(tensor(examples.SelectMany(e => e.Outputs).ToArray(), [examples.Length, 3]), tensor(1f)));
    }
}
