using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The gradient of some rows' logits in one chunk, (softmax - 1 at the target) · ḡ / n, and what it adds to that of the hidden states.</summary>
internal readonly unsafe struct CrossEntropyRowsBackward(CrossEntropyWork work, int first, int rows) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, padded) = (work.Dim, work.Padded);
        var logits = work.Logits + (long)first * padded;
        MatrixProduct.Run<V>(rows, padded, dim, work.Hidden + (long)first * dim, dim, 1, work.Matrix, padded, logits, padded, add: false);
        for (var i = 0; i < rows; i++)
        {
            Softmax<V>(logits + (long)i * padded, work.Offsets, work.LogSums[first + i], work.Share, padded);
            var target = work.Targets[first + i] - work.First;
            if (target >= 0 && target < work.Entries)
                logits[(long)i * padded + target] -= work.Share;
        }
        if (work.GradHidden != null)
        {
            MatrixProduct.Run<V>(rows, dim, work.Entries, logits, padded, 1, work.Weight + (long)work.First * dim, dim,
                work.GradHidden + (long)first * dim, dim, add: work.First > 0);
        }
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
