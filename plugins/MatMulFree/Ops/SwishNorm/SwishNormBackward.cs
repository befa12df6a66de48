using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.SwishNorm;

/// <summary>The backward of some rows. Gradients that are not wanted are null.</summary>
internal unsafe struct SwishNormBackward : ISimdKernel
{
    public long First, End;
    public int Dim;
    public double Epsilon;
    public float* X, Gate, Weight, GradY;
    public float* GradX, GradGate;
    public float* GradWeight;       // these rows' part

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var padded = Dim + V.Count;
        float* g = stackalloc float[padded], part = stackalloc float[padded], weight = stackalloc float[padded];
        new Span<float>(part, padded).Clear();
        new Span<float>(weight, padded).Clear();
        new Span<float>(Weight, Dim).CopyTo(new Span<float>(weight, Dim));
        for (var row = First; row < End; row++)
        {
            var at = row * Dim;
            var rate = SwishNormForward.Rate<V>(X + at, Dim, Epsilon);
            var product = Gated<V>(at, rate, weight, g, part);
            if (GradX != null)
                Normed<V>(X + at, g, rate, product / Dim, GradX + at, Dim);
        }
        if (GradWeight != null)
            new Span<float>(part, Dim).CopyTo(new Span<float>(GradWeight, Dim));
    }

    /// <summary>Stores g = ∂y ⊙ silu(gate) ⊙ weight and the gate's gradient, adds to the weight's, returns Σ g x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly float Gated<V>(long at, float rate, float* weight, float* g, float* part)
        where V : struct, ILanes<V>
    {
        float* x = X + at, gate = Gate + at, given = GradY + at, toGate = GradGate == null ? null : GradGate + at;
        var (wide, total, one, count) = (V.Create(rate), V.Zero, V.Create(1), Dim);
        for (var i = 0; i < count; i += V.Count)
        {
            var rest = count - i;
            var whole = rest >= V.Count;
            var n = (whole ? V.Load(x + i) : V.LoadPartial(x + i, rest)) * wide;
            var o = whole ? V.Load(gate + i) : V.LoadPartial(gate + i, rest);
            var gradient = whole ? V.Load(given + i) : V.LoadPartial(given + i, rest);
            var w = V.Load(weight + i);
            var s = one / (one + VectorMath.ExpBounded(-o));
            var silu = o * s;
            var ofGate = gradient * n * w * V.MultiplyAdd(silu, one - s, s);       // silu' = σ + silu (1 - σ)
            var gated = gradient * silu;
            V.MultiplyAdd(gated, n, V.Load(part + i)).Store(part + i);
            gated *= w;
            gated.Store(g + i);
            total = V.MultiplyAdd(gated, n, total);
            if (toGate == null)
                continue;
            if (whole)
                ofGate.Store(toGate + i);
            else
                ofGate.StorePartial(toGate + i, rest);
        }
        return V.Sum(total);
    }

    /// <summary>∂x = rate · (g - x̂ mean(g x̂)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normed<V>(float* x, float* g, float rate, float mean, float* target, int count)
        where V : struct, ILanes<V>
    {
        var (wide, factor) = (V.Create(rate), V.Create(-rate * mean));
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            (V.MultiplyAdd(V.Load(x + i), factor, V.Load(g + i)) * wide).Store(target + i);
        if (i < count)
        {
            var rest = count - i;
            (V.MultiplyAdd(V.LoadPartial(x + i, rest), factor, V.Load(g + i)) * wide).StorePartial(target + i, rest);
        }
    }
}
