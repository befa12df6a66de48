using System.Runtime.CompilerServices;
using TorchSharp;
using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>AdamW's numbers at one step.</summary>
/// <param name="Beta1">β1, decay of the first moment.</param>
/// <param name="Beta2">β2, decay of the second.</param>
/// <param name="Epsilon">ε.</param>
/// <param name="Step">The number of this update, from 1: the bias corrections depend on it.</param>
public readonly record struct AdamWRule(double Beta1, double Beta2, double Epsilon, long Step) : IUpdateRule
{
    // Below this ε, second moments under the normal range still show beside it.
    private const double TellingEpsilon = 1e-11;

    int IUpdateRule.StateCount => 2;

    string? IUpdateRule.Problem =>
        !(Beta1 >= 0 && Beta1 < 1) ? $"'beta1' is {Beta1}; it must be from 0 to below 1."
        : !(Beta2 >= 0 && Beta2 < 1) ? $"'beta2' is {Beta2}; it must be from 0 to below 1."
        : !(Epsilon >= 0) ? $"'eps' is {Epsilon}; it must be at least 0."
        : Step < 1 ? $"'step' is {Step}; the first is 1."
        : null;

    private double FirstCorrection => 1 - Math.Pow(Beta1, Step);

    private double SecondCorrection => 1 - Math.Pow(Beta2, Step);

    void IUpdateRule.Update(UpdatedTensor tensor, Tensor gradient)
    {
        using Scalar keep = 1 - tensor.LearningRate * tensor.WeightDecay;
        using Scalar keepFirst = Beta1, addFirst = 1 - Beta1;
        using Scalar keepSecond = Beta2, addSecond = 1 - Beta2;
        using Scalar correction = Math.Sqrt(SecondCorrection), epsilon = Epsilon, minusRate = -tensor.LearningRate / FirstCorrection;
        tensor.Value.mul_(keep);
        var first = tensor.State[0].mul_(keepFirst).add_(gradient, addFirst);
        var second = tensor.State[1].mul_(keepSecond).addcmul_(gradient, gradient, addSecond);
        tensor.Value.addcdiv_(first, second.sqrt().div_(correction).add_(epsilon), minusRate);
    }

    void IUpdateRule.Update(in UpdateRange range) => Simd.Run(new UpdatePieces<AdamWRule>(this, range));

    /// <summary>The corrections are moved into the rate and into ε (Kingma and Ba 2015, end of section 2): one division fewer.</summary>
    UpdateFactors IUpdateRule.Factors(double learningRate, double weightDecay)
    {
        var correction = Math.Sqrt(SecondCorrection);
        return new UpdateFactors(
            Rate: (float)(-learningRate * correction / FirstCorrection),
            Epsilon: (float)(Epsilon * correction),
            Decay: (float)(1 - learningRate * weightDecay),
            Smallest: Epsilon * correction > TellingEpsilon ? LinearScanBackward.SmallestNormal : 0);
    }

    unsafe void IUpdateRule.Update<V>(in UpdateEntry piece, float scale) => Loop<V>(
        piece, V.Create(scale), (float)Beta1, (float)(1 - Beta1), (float)Beta2, (float)(1 - Beta2),
        ((IUpdateRule)this).Factors(piece.LearningRate, piece.WeightDecay));

    void IUpdateRule.Launch(CudaLauncher cuda, int pieces, int threads, KernelArray list, int count, KernelArray normAndScale) => cuda.Launch(
        "adamw_update", pieces, threads, 0, list, count, normAndScale, (float)Beta1, (float)(1 - Beta1), (float)Beta2, (float)(1 - Beta2));

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static unsafe void Loop<V>(
        in UpdateEntry piece, V scale, float beta1, float oneMinusBeta1, float beta2, float oneMinusBeta2, UpdateFactors factors)
        where V : struct, ILanes<V>
    {
        var (keepFirst, addFirst, keepSecond, addSecond) = (V.Create(beta1), V.Create(oneMinusBeta1), V.Create(beta2), V.Create(oneMinusBeta2));
        var (wideRate, wideEpsilon, wideKeep, least) =
            (V.Create(factors.Rate), V.Create(factors.Epsilon), V.Create(factors.Decay), V.Create(factors.Smallest));
        var smallestNormal = V.Create(LinearScanBackward.SmallestNormal);
        float* value = piece.Value, first = piece.First, second = piece.Second;
        var gradient = piece.Gradient;
        var copy = piece.Copy;
        var (isBFloat16, count) = (piece.IsBFloat16, piece.Count);
        for (long i = 0; i < count; i += V.Count)
        {
            var g = UpdateEntry.LoadGradient<V>(gradient, isBFloat16, i) * scale;
            var m = V.MultiplyAdd(keepFirst, V.Load(first + i), addFirst * g);
            var v = V.MultiplyAdd(keepSecond, V.Load(second + i), addSecond * g * g);
            m = V.WhereGreater(smallestNormal, V.Abs(m), V.Zero, m);   // a moment that decays must not stay among denormals, which are slow
            v = V.WhereGreater(least, v, V.Zero, v);
            m.Store(first + i);
            v.Store(second + i);
            var p = V.MultiplyAdd(wideRate, m / (V.Sqrt(v) + wideEpsilon), wideKeep * V.Load(value + i));
            p.Store(value + i);
            if (copy != null)
                p.StoreBFloat16(copy + i);
        }
    }
}
