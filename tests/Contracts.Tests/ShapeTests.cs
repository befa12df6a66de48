using static TorchSharp.torch;

namespace Zoo.Tests;

public sealed class ShapeTests
{
    [Test]
    public void Require_ShapeFits_ReturnsNormally()
    {
        using var x = zeros(2, 3, 4);
        using var scalar = zeros(Array.Empty<long>());
        Assert.That(() => Shape.Require(x, "x", 2, 3, 4), Throws.Nothing);
        Assert.That(() => Shape.Require(x, "x", Shape.Any, 3, Shape.Any), Throws.Nothing);
        Assert.That(() => Shape.Require(scalar, "scalar"), Throws.Nothing);
    }

    [TestCase(new long[] { 2, 3, 5 }, "'x' is [2, 3, 4] but must be [2, 3, 5]")]
    [TestCase(new long[] { Shape.Any, 2, 4 }, "'x' is [2, 3, 4] but must be [any, 2, 4]")]
    [TestCase(new long[] { 2, 3 }, "'x' is [2, 3, 4] but must be [2, 3]")]
    [TestCase(new long[] { 2, 3, 4, 1 }, "'x' is [2, 3, 4] but must be [2, 3, 4, 1]")]
    [TestCase(new long[0], "'x' is [2, 3, 4] but must be []")]
    public void Require_ShapeDiffers_NamesBoth(long[] sizes, string sentence)
    {
        using var x = zeros(2, 3, 4);
        Assert.That(() => Shape.Require(x, "x", sizes), Throws.TypeOf<ShapeException>().With.Message.EqualTo(sentence));
    }
}
