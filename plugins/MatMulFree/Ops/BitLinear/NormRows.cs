using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.BitLinear;

/// <summary>The backward of the norm for some rows, from the gradient of what was rounded.</summary>
internal unsafe struct NormRows : ISimdKernel
{
    public int Rows, Inputs;
    public long Stride;             // from a row of GradNormed to the next: whole vectors
    public float* X, Norm, Rates;
    public float* GradNormed;       // ∂n; overwritten
    public float* GradX;            // null: not wanted
    public float* GradNorm;         // these rows' part, whole vectors

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        new Span<float>(GradNorm, (int)Stride).Clear();
        for (var r = 0; r < Rows; r++)
        {
            float* x = X + (long)r * Inputs, given = GradNormed + r * Stride;
            var product = Product<V>(x, given, Rates[r]);
            if (GradX != null)
                Row<V>(x, given, Rates[r], product / Inputs, GradX + (long)r * Inputs);
        }
    }

    /// <summary>Stores g = ∂n ⊙ weight over ∂n, adds ∂n ⊙ x̂ to the weight's gradient, returns Σ g x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly float Product<V>(float* x, float* given, float rate)
        where V : struct, ILanes<V>
    {
        float* norm = Norm, gradNorm = GradNorm;
        var (wide, total, count) = (V.Create(rate), V.Zero, Inputs);
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
        {
            var (normalised, gradient) = (V.Load(x + i) * wide, V.Load(given + i));
            V.MultiplyAdd(gradient, normalised, V.Load(gradNorm + i)).Store(gradNorm + i);
            var g = gradient * V.Load(norm + i);
            g.Store(given + i);
            total = V.MultiplyAdd(g, normalised, total);
        }
        if (i < count)
        {
            // Behind a row's end there is anything: zeros come from the partial loads.
            var rest = count - i;
            var (normalised, gradient) = (V.LoadPartial(x + i, rest) * wide, V.LoadPartial(given + i, rest));
            V.MultiplyAdd(gradient, normalised, V.Load(gradNorm + i)).Store(gradNorm + i);
            var g = gradient * V.LoadPartial(norm + i, rest);
            g.Store(given + i);
            total = V.MultiplyAdd(g, normalised, total);
        }
        return V.Sum(total);
    }

    /// <summary>∂x = rate · (g - x̂ mean(g x̂)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Row<V>(float* x, float* g, float rate, float mean, float* target)
        where V : struct, ILanes<V>
    {
        var (wide, factor, count) = (V.Create(rate), V.Create(-rate * mean), Inputs);
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            (V.MultiplyAdd(V.Load(x + i), factor, V.Load(g + i)) * wide).Store(target + i);
        if (i < count)
        {
            var rest = count - i;
            (V.MultiplyAdd(V.LoadPartial(x + i, rest), factor, V.LoadPartial(g + i, rest)) * wide).StorePartial(target + i, rest);
        }
    }
}
