using static TorchSharp.torch;

namespace Zoo.SageAttention.Ops.Sage;

/// <summary>How near an attention's result is to the exact one, as the paper measures it (section 4.1), over all elements.</summary>
/// <param name="Cosine">Σ o o′ / √(Σ o² Σ o′²).</param>
/// <param name="RelativeL1">Σ |o - o′| / Σ |o|.</param>
/// <param name="Rmse">√(mean (o - o′)²).</param>
internal readonly record struct Accuracy(double Cosine, double RelativeL1, double Rmse)
{
    /// <summary>Measures, in float64.</summary>
    public static Accuracy Of(Tensor got, Tensor exact)
    {
        using var scope = NewDisposeScope();
        var (a, b) = (got.detach().to(ScalarType.Float64).cpu(), exact.detach().to(ScalarType.Float64).cpu());
        var difference = a - b;
        var cosine = Sum(a * b) / Math.Sqrt(Sum(a * a) * Sum(b * b));
        return new(cosine, Sum(difference.abs()) / Sum(b.abs()), Math.Sqrt(Sum(difference * difference) / b.numel()));

        static double Sum(Tensor x) => x.sum().item<double>();
    }
}
