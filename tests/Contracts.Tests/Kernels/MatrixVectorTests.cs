using Zoo.Kernels;
using Zoo.Kernels.Cpu;
using static TorchSharp.torch;

namespace Zoo.Tests.Kernels;

public sealed class MatrixVectorTests
{
    [Test]
    public void Apply_AnySize_EqualsFloat64(
        [Values(0, 1, 3, 9)] int batch, [Values(1, 70)] int rows, [Values(0, 1, 15, 64, 100)] int length, [Values] bool biased, [Values] bool bfloat16)
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var (x, weight) = (randn(batch, length), randn(rows, length));
        if (bfloat16)
            weight = weight.to(ScalarType.BFloat16);
        var bias = biased ? randn(rows) : null;
        var y = MatrixVector.Apply(x, weight, bias, KernelChoice.Parse("cpu"));
        var exact = nn.functional.linear(x.to(ScalarType.Float64), weight.to(ScalarType.Float64), bias?.to(ScalarType.Float64));
        // Measured: 6e-6.
        Assert.That((y.to(ScalarType.Float64) - exact).abs().sum().item<double>(), Is.LessThanOrEqualTo(1.2e-5 * Math.Max(1, exact.numel())));
    }

    [Test]
    public void Apply_ThreadsOrBatch_SameBits()
    {
        using var scope = NewDisposeScope();
        var before = WorkShare.Threads;
        try
        {
            var (x, weight) = (randn(3, 300), randn(700, 300));
            WorkShare.Threads = 1;
            var one = MatrixVector.Apply(x, weight);
            WorkShare.Threads = 2;
            Assert.That(MatrixVector.Apply(x, weight).Equals(one), Is.True);
            Assert.That(MatrixVector.Apply(x.narrow(0, 1, 1), weight).Equals(one.narrow(0, 1, 1)), Is.True);
        }
        finally
        {
            WorkShare.Threads = before;
        }
    }

    [Test]
    public void Apply_GradientAskedFor_IsRefused()
    {
        using var scope = NewDisposeScope();
        Assert.That(() => MatrixVector.Apply(zeros(1, 4), zeros(3, 4, requires_grad: true)), Throws.TypeOf<ShapeException>()
            .With.Message.EqualTo("matrix_vector has no gradient of 'weight', which requires one; detach it."));
    }
}
