using Zoo.Kernels;
using Zoo.LeNet;
using static TorchSharp.torch;

namespace Zoo.Tests.LeNet;

[TestFixture]
public sealed class PrepareOpTests
{
    [Test]
    public void Invoke_RecordedCase_OutputMatches()
    {
        using var scope = NewDisposeScope();
        using var golden = GoldenCase.Open("LeNet", "lenet1989_prepare-digits");
        var op = new PrepareOp();
        Assert.That(op.Name, Is.EqualTo(golden.Name));
        var result = op.Invoke(golden.With("in."), new OpOptions(golden.Config), KernelChoice.Auto);
        Assert.That(result.Backend, Is.EqualTo("reference"));
        TensorAssert.Close(result.Outputs["x"], golden.With("out.")["x"], golden.AbsoluteTolerance, golden.RelativeTolerance, "x");
    }

    [TestCase(ScalarType.Byte)]
    [TestCase(ScalarType.Float32)]
    [TestCase(ScalarType.Float64)]
    public void Apply_RandomImages_EqualsALoopOverPixels(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var images = randint(0, 256, [2, 1, 28, 28]);
        var actual = PrepareOp.Apply(images.to(dtype));
        Assert.That(actual.dtype, Is.EqualTo(dtype == ScalarType.Float64 ? ScalarType.Float64 : ScalarType.Float32));

        var expected = new double[2 * 16 * 16];
        for (var i = 0; i < expected.Length; i++)
        {
            var (image, row, column) = (i / 256, i / 16 % 16, i % 16);
            var (top, down) = Source(row);
            var (left, right) = Source(column);
            expected[i] = (1 - down) * ((1 - right) * Pixel(top, left) + right * Pixel(top, left + 1))
                + down * ((1 - right) * Pixel(top + 1, left) + right * Pixel(top + 1, left + 1));

            double Pixel(int y, int x) => images[image, 0, y, x].item<long>() / 127.5 - 1;
        }
        TensorAssert.Close(actual.flatten(), tensor(expected), 1e-6, 0, "x");   // 3e-7 measured

        // Where the middle of pixel j of 16 lies among 28: the pixel before it, and how far it is to the next.
        static (int Before, double Weight) Source(int j)
        {
            var position = (j + 0.5) * 28 / 16 - 0.5;
            return ((int)Math.Floor(position), position - Math.Floor(position));
        }
    }

    [Test]
    public void Apply_BlackAndWhite_AreTheEndsOfTheRange()
    {
        using var scope = NewDisposeScope();
        Assert.That(PrepareOp.Apply(zeros(1, 1, 28, 28)).data<float>().ToArray(), Is.All.EqualTo(-1f));
        Assert.That(PrepareOp.Apply(full(1, 1, 28, 28, 255f)).data<float>().ToArray(), Is.All.EqualTo(1f));
    }

    [Test]
    public void Invoke_OtherShape_IsRefused()
    {
        using var scope = NewDisposeScope();
        var inputs = new NamedTensors { ["image"] = zeros(2, 1, 16, 16) };
        Assert.That(() => new PrepareOp().Invoke(inputs, OpOptions.None, KernelChoice.Auto),
            Throws.TypeOf<ShapeException>().With.Message.Contains("[2, 1, 16, 16]"));
    }
}
