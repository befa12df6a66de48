using TorchSharp;

namespace Zoo.Tests;

/// <summary>Comparisons of tensors that say where and by how much they differ.</summary>
internal static class TensorAssert
{
    /// <summary>Requires |actual - expected| &lt;= atol + rtol |expected| everywhere.</summary>
    public static void Close(torch.Tensor actual, torch.Tensor expected, double atol, double rtol, string what)
    {
        using var scope = torch.NewDisposeScope();
        Assert.That(actual.shape, Is.EqualTo(expected.shape), what);
        var (a, b) = (actual.detach().to(torch.ScalarType.Float64), expected.detach().to(torch.ScalarType.Float64));
        var excess = ((a - b).abs() - atol - rtol * b.abs()).nan_to_num(double.PositiveInfinity).flatten();
        var worst = excess.argmax().item<long>();
        Assert.That(excess[worst].item<double>(), Is.LessThanOrEqualTo(0),
            $"{what}: element {worst} is {a.flatten()[worst].item<double>():R} and must be {b.flatten()[worst].item<double>():R}");
    }
}
