using Zoo.Host.Verification;
using static TorchSharp.torch;

namespace Zoo.Tests.Verification;

public sealed class TensorComparisonTests
{
    [TestCase(1.0f, 1.0f, true)]
    [TestCase(1.0f, 1.15f, true)]      // 0.1 + 0.1 x 1.15 = 0.215 allowed
    [TestCase(1.0f, 1.3f, false)]      // 0.1 + 0.1 x 1.3 = 0.23 allowed
    [TestCase(0.0f, -0.0f, true)]
    [TestCase(float.NaN, float.NaN, true)]
    [TestCase(float.NaN, 1.0f, false)]
    [TestCase(1.0f, float.NaN, false)]
    [TestCase(float.PositiveInfinity, float.PositiveInfinity, true)]
    [TestCase(float.PositiveInfinity, float.NegativeInfinity, false)]
    [TestCase(1.0f, float.PositiveInfinity, false)]
    public void Compare_Floats_ToleranceOfTheExpectedValue(float got, float expected, bool equal)
    {
        using var scope = NewDisposeScope();
        var comparison = TensorComparison.Compare("out.y", tensor(got), tensor(expected), 0.1, 0.1);
        Assert.That(comparison.Problem is null, Is.EqualTo(equal), comparison.Problem);
    }

    [Test]
    public void Compare_Integers_MustBeExactWhateverIsAllowed()
    {
        using var scope = NewDisposeScope();
        var comparison = TensorComparison.Compare("out.q", tensor(new long[] { 1, 2, 3 }), tensor(new long[] { 1, 2, 4 }), 10, 10);
        Assert.That(comparison.Problem, Is.EqualTo("out.q[2] is 3 but must be 4 (difference 1, allowed 0; 1 of 3 elements are off)."));
    }

    [Test]
    public void Compare_SeveralOff_NamesTheElementFurthestBeyondWhatIsAllowed()
    {
        using var scope = NewDisposeScope();
        var expected = tensor(new float[] { 1, 2, 3, 4, 5, 6 }, 2, 3);
        var got = expected.clone();
        got[0, 1] = 2.5f;
        got[1, 2] = 9;
        var comparison = TensorComparison.Compare("out.y", got, expected, 0.1, 0);
        Assert.That(comparison.Problem, Is.EqualTo("out.y[1, 2] is 9 but must be 6 (difference 3, allowed 0.1; 2 of 6 elements are off)."));
        Assert.That(comparison.MaxAbsoluteError, Is.EqualTo(3));
        Assert.That(comparison.Worst!.Index, Is.EqualTo(new long[] { 1, 2 }));
    }

    [Test]
    public void Compare_OtherShape_IsAProblemEvenWhereItWouldBroadcast()
    {
        using var scope = NewDisposeScope();
        var comparison = TensorComparison.Compare("out.y", ones(1, 3), ones(3), 1, 1);
        Assert.That(comparison.Problem, Is.EqualTo("out.y is [1, 3] but must be [3]."));
    }

    [Test]
    public void Compare_NoElements_IsEqual()
    {
        using var scope = NewDisposeScope();
        Assert.That(TensorComparison.Compare("out.y", zeros(0, 2), zeros(0, 2), 0, 0).Problem, Is.Null);
    }
}
