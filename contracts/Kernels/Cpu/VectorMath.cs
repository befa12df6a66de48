using System.Runtime.CompilerServices;

namespace Zoo.Kernels.Cpu;

/// <summary>Elementary functions on vectors, for kernels. Errors are measured against float64 over the stated range (`VectorMathTests`).</summary>
public static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float Ln2 = 0.693147181f;

    /// <summary>2^x. Zero below -150, infinity from 128 on; NaN stays. At most 1.5 ulp where the result is normal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<V>(V x)
        where V : struct, ILanes<V>
    {
        x = V.Min(V.Max(V.Create(-151), x), V.Create(129));   // keeps NaN: of a number and NaN the second operand is taken
        var whole = V.Round(x);
        var f = x - whole;                                     // [-1/2, 1/2]
        var p = V.Create(1.535336188319500e-4f);
        p = V.MultiplyAdd(p, f, V.Create(1.339887440266574e-3f));
        p = V.MultiplyAdd(p, f, V.Create(9.618437357674640e-3f));
        p = V.MultiplyAdd(p, f, V.Create(5.550332471162809e-2f));
        p = V.MultiplyAdd(p, f, V.Create(2.402264791363012e-1f));
        p = V.MultiplyAdd(p, f, V.Create(6.931472028550421e-1f));
        p = V.MultiplyAdd(p, f, V.Create(1));
        return V.Scale(p, whole);
    }
}
