using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>Logits of some rows in one chunk of the vocabulary, and what they add to the rows' sums of exponentials.</summary>
internal readonly unsafe struct CrossEntropyForward(CrossEntropyWork work, int first, int rows) : ISimdKernel
{
    public void Run<V>()
        where V : struct, ILanes<V>
    {
        var (dim, padded, stride) = (work.Dim, work.Padded, work.Stride);
        var logits = work.Logits + (long)first * stride;
        MatrixProduct.RunPanels<V>(rows, padded, dim, work.Hidden + (long)first * dim, dim, 1, work.Matrix, dim, logits, stride, add: false);
        for (var i = 0; i < rows; i++, logits += stride)
        {
            var row = first + i;
            var largest = Math.Max(work.Maxima[row], Largest<V>(logits, work.Offsets, padded));
            // exp(-infinity - -infinity) would be NaN; a row of nothing but -infinity is left at a sum of zero.
            var reference = float.IsNegativeInfinity(largest) ? 0 : largest;
            var target = work.Targets[row] - work.First;
            if (target >= 0 && target < work.Entries)
                work.TargetLogits[row] = logits[target];
            work.Sums[row] = work.Sums[row] * MathF.Exp(work.Maxima[row] - reference) + Exponentials<V>(logits, reference, padded, keep: work.Exponentials != null);
            work.Maxima[row] = largest;
        }
    }

    /// <summary>Adds the offsets to the logits and returns the largest. A NaN may be passed over here; the exponentials keep it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Largest<V>(float* logits, float* offsets, int count)
        where V : struct, ILanes<V>
    {
        var largest = V.Create(float.NegativeInfinity);
        for (var i = 0; i < count; i += V.Count)
        {
            var logit = V.Load(logits + i) + V.Load(offsets + i);
            logit.Store(logits + i);
            largest = V.Max(largest, logit);
        }
        return V.MaxOf(largest);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exponentials<V>(float* logits, float reference, int count, bool keep)
        where V : struct, ILanes<V>
    {
        var (sum, shift) = (V.Zero, V.Create(reference));
        for (var i = 0; i < count; i += V.Count)
        {
            var exponential = VectorMath.Exp(V.Load(logits + i) - shift);
            sum += exponential;
            if (keep)
                exponential.Store(logits + i);
        }
        return V.Sum(sum);
    }
}
