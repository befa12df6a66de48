using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The gradient of some rows' logits in one chunk, (softmax - 1 at the target) · ḡ / n, and what it adds to that of the hidden states.</summary>
internal readonly unsafe struct CrossEntropyRowsBackward(CrossEntropyWork work, int first, int rows) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, padded, stride) = (work.Dim, work.Padded, work.Stride);
        var logits = work.Logits + (long)first * stride;
        if (work.Exponentials == null)
            MatrixProduct.RunPanels<V>(rows, padded, dim, work.Hidden + (long)first * dim, dim, 1, work.Matrix, dim, logits, stride, add: false);
        for (var i = 0; i < rows; i++)
        {
            if (work.Exponentials != null)
                Scale<V>(work.Exponentials + (long)(first + i) * stride, logits + (long)i * stride, work.Share / work.KeptSums[first + i], padded);
            else
                Softmax<V>(logits + (long)i * stride, work.Offsets, work.LogSums[first + i], work.Share, padded);
            var target = work.Targets[first + i] - work.First;
            if (target >= 0 && target < work.Entries)
                logits[(long)i * stride + target] -= work.Share;
        }
        if (work.GradHidden != null)
        {
            MatrixProduct.RunPanels<V>(rows, dim, work.Entries, logits, stride, 1, work.MatrixRows, work.Entries,
                work.GradHidden + (long)first * dim, dim, add: work.First > 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<V>(float* exponentials, float* target, float factor, int count)
        where V : struct, ILanes<V>
    {
        var scale = V.Create(factor);
        for (var i = 0; i < count; i += V.Count)
            (V.Load(exponentials + i) * scale).Store(target + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Softmax<V>(float* logits, float* offsets, float logSum, float share, int count)
        where V : struct, ILanes<V>
    {
        var (shift, scale) = (V.Create(logSum), V.Create(share));
        for (var i = 0; i < count; i += V.Count)
            (VectorMath.Exp(V.Load(logits + i) + V.Load(offsets + i) - shift) * scale).Store(logits + i);
    }
}
