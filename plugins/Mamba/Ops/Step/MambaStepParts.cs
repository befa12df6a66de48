using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Mamba.Ops.Step;

/// <summary>The parts of a block's step between its products.</summary>
internal unsafe struct MambaStepParts : ISimdKernel
{
    private const float Log2E = 1.44269504f;

    public MambaStepPart Part;
    public int Batch, Dim, Inner, States, Width;
    public bool IsRms;
    public float Epsilon;
    public float* Hidden, Residual, NormWeight, NormBias, Sum, Normed;    // Residual and NormBias: null for zero
    public float* X, Z, U, Delta, B, C;
    public float* ConvWeight, ConvBias, Inputs, NextInputs;               // ConvBias: null for zero
    public float* A, Skip, Before, After;                                 // After may be Before

    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        for (var batch = 0; batch < Batch; batch++)
        {
            switch (Part)
            {
                case MambaStepPart.Norm:
                    Normalise(batch);
                    break;
                case MambaStepPart.Convolution:
                    Convolve<V>(batch);
                    break;
                default:
                    var at = (long)batch * Inner;
                    Gate<V>(Delta + at, Z + at, Inner);
                    Scan<V>(
                        Delta + at, U + at, Z + at, B + (long)batch * States, C + (long)batch * States, A, Skip, Before + at * States, After + at * States,
                        Inner, States);
                    break;
            }
        }
    }

    private readonly void Normalise(int batch)
    {
        var hidden = Hidden + (long)batch * Dim;
        var sum = Sum + (long)batch * Dim;
        var residual = Residual == null ? null : Residual + (long)batch * Dim;
        var mean = 0.0;
        for (var i = 0; i < Dim; i++)
        {
            sum[i] = residual == null ? hidden[i] : hidden[i] + residual[i];
            mean += sum[i];
        }
        mean = IsRms ? 0 : mean / Dim;
        var square = 0.0;
        for (var i = 0; i < Dim; i++)
            square += (sum[i] - mean) * (sum[i] - mean);
        var scale = 1 / Math.Sqrt(square / Dim + Epsilon);
        var normed = Normed + (long)batch * Dim;
        for (var i = 0; i < Dim; i++)
            normed[i] = (float)((sum[i] - mean) * scale) * NormWeight[i] + (NormBias == null ? 0 : NormBias[i]);
    }

    private readonly void Convolve<V>(int batch)
        where V : struct, ILanes<V>
    {
        var u = U + (long)batch * Inner;
        var before = Inputs + (long)batch * Width * Inner;
        var after = NextInputs + (long)batch * Width * Inner;
        new Span<float>(before + Inner, (Width - 1) * Inner).CopyTo(new Span<float>(after, (Width - 1) * Inner));
        new Span<float>(X + (long)batch * Inner, Inner).CopyTo(new Span<float>(after + (Width - 1) * Inner, Inner));
        for (var e = 0; e < Inner; e++)
        {
            var sum = ConvBias == null ? 0 : ConvBias[e];
            for (var k = 0; k < Width; k++)
                sum += ConvWeight[e * Width + k] * after[k * Inner + e];
            u[e] = sum;
        }
        Silu<V>(u, Inner);
    }

    /// <summary>Softplus of delta and SiLU of z, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gate<V>(float* delta, float* z, int count)
        where V : struct, ILanes<V>
    {
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            VectorMath.Softplus(V.Load(delta + i)).Store(delta + i);
        if (i < count)
            VectorMath.Softplus(V.LoadPartial(delta + i, count - i)).StorePartial(delta + i, count - i);
        Silu<V>(z, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Silu<V>(float* x, int count)
        where V : struct, ILanes<V>
    {
        var i = 0;
        for (; i + V.Count <= count; i += V.Count)
            VectorMath.Silu(V.Load(x + i)).Store(x + i);
        if (i < count)
            VectorMath.Silu(V.LoadPartial(x + i, count - i)).StorePartial(x + i, count - i);
    }

    /// <summary>h = exp(Δ A) h + Δ u B and y = (C h + D u) · gate, in place of u.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scan<V>(
        float* delta, float* u, float* gate, float* b, float* c, float* a, float* skip, float* before, float* after, int inner, int states)
        where V : struct, ILanes<V>
    {
        for (var e = 0; e < inner; e++)
        {
            var step = V.Create(delta[e] * Log2E);
            var input = V.Create(delta[e] * u[e]);
            var sum = V.Zero;
            var n = 0;
            for (; n + V.Count <= states; n += V.Count)
            {
                var h = Flush(V.MultiplyAdd(VectorMath.Exp2(step * V.Load(a + n)), V.Load(before + n), input * V.Load(b + n)));
                h.Store(after + n);
                sum = V.MultiplyAdd(h, V.Load(c + n), sum);
            }
            if (n < states)
            {
                var rest = states - n;
                var h = Flush(V.MultiplyAdd(
                    VectorMath.Exp2(step * V.LoadPartial(a + n, rest)), V.LoadPartial(before + n, rest), input * V.LoadPartial(b + n, rest)));
                h.StorePartial(after + n, rest);
                sum = V.MultiplyAdd(h, V.LoadPartial(c + n, rest), sum);
            }
            u[e] = (V.Sum(sum) + skip[e] * u[e]) * gate[e];
            a += states;
            before += states;
            after += states;
        }
    }

    /// <summary>Zero in place of very small numbers, as the scan over time has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Flush<V>(V x)
        where V : struct, ILanes<V> => V.WhereGreater(V.Create(7.9e-31f), V.Abs(x), V.Zero, x);
}
