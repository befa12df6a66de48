using System.Runtime.CompilerServices;
using TorchSharp;
using Zoo.Kernels.Cpu;
using Zoo.Kernels.Cuda;
using static TorchSharp.torch;

namespace Zoo.Kernels;

/// <summary>The numbers of stochastic gradient descent.</summary>
/// <param name="Momentum">μ; 0 needs no state.</param>
public readonly record struct SgdRule(double Momentum) : IUpdateRule
{
    int IUpdateRule.StateCount => Momentum > 0 ? 1 : 0;

    string? IUpdateRule.Problem => Momentum >= 0 && Momentum < 1 ? null : $"'momentum' is {Momentum}; it must be from 0 to below 1.";

    void IUpdateRule.Update(UpdatedTensor tensor, Tensor gradient)
    {
        using Scalar momentum = Momentum, decay = tensor.WeightDecay, minusRate = -tensor.LearningRate;
        var direction = tensor.WeightDecay != 0 ? gradient.add(tensor.Value, decay) : gradient;
        if (tensor.State.Count > 0)
            direction = tensor.State[0].mul_(momentum).add_(direction);
        tensor.Value.add_(direction, minusRate);
    }

    void IUpdateRule.Update(in UpdateRange range) => Simd.Run(new UpdatePieces<SgdRule>(this, range));

    UpdateFactors IUpdateRule.Factors(double learningRate, double weightDecay) => new((float)-learningRate, 0, (float)weightDecay, 0);

    unsafe void IUpdateRule.Update<V>(in UpdateEntry piece, float scale)
    {
        var factors = ((IUpdateRule)this).Factors(piece.LearningRate, piece.WeightDecay);
        Loop<V>(piece, V.Create(scale), V.Create((float)Momentum), V.Create(factors.Decay), V.Create(factors.Rate));
    }

    void IUpdateRule.Launch(CudaLauncher cuda, int pieces, int threads, KernelArray list, int count, KernelArray normAndScale) =>
        cuda.Launch("sgd_update", pieces, threads, 0, list, count, normAndScale, (float)Momentum);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static unsafe void Loop<V>(in UpdateEntry piece, V scale, V momentum, V decay, V minusRate)
        where V : struct, ILanes<V>
    {
        float* value = piece.Value, buffer = piece.First;
        var gradient = piece.Gradient;
        var copy = piece.Copy;
        var (isBFloat16, count) = (piece.IsBFloat16, piece.Count);
        for (long i = 0; i < count; i += V.Count)
        {
            var p = V.Load(value + i);
            var b = V.MultiplyAdd(decay, p, UpdateEntry.LoadGradient<V>(gradient, isBFloat16, i) * scale);
            if (buffer != null)
            {
                b = LinearScanBackward.Flush(V.MultiplyAdd(momentum, V.Load(buffer + i), b));
                b.Store(buffer + i);
            }
            p = V.MultiplyAdd(minusRate, b, p);
            p.Store(value + i);
            if (copy != null)
                p.StoreBFloat16(copy + i);
        }
    }
}
