using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// minLSTM: s_t = f' ⊙ s_{t-1} + i' ⊙ φ(x_t) with f' = f / (f + i), i' = i / (f + i), f = σ(first), i = σ(second).
/// </summary>
/// <typeparam name="TActivation">φ: g, or the identity in the plain form.</typeparam>
internal readonly struct TwoGateCell<TActivation> : IGatedCell
    where TActivation : IActivation
{
    /// <summary>
    /// Where both gates are below this, both are moved up until the larger one is there. σ(k) is e^k to the last digit of float32 below -17,
    /// so the quotients stay the same, and both powers stay in range.
    /// </summary>
    private const float Lowest = -40;

    public static bool HasSecondGate => true;

    public static bool HasOutputGate => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V>
    {
        Normalise(first, second, out _, out _, out var forget, out var input);
        return Gates.Flush(V.MultiplyAdd(forget, before, input * TActivation.Value(x, VectorMath.ExpBounded(TActivation.Exponent(x)))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V>
    {
        Normalise(first, second, out var ef, out var ei, out var forget, out var input);
        TActivation.WithSlope(x, VectorMath.ExpBounded(TActivation.Exponent(x)), out var value, out var slope);
        carried = Gates.Flush(g * forget);
        var gi = g * input;
        gradX = gi * slope;
        var common = gi * forget * (before - value);           // of log(f / i)
        gradFirst = common * (ef / (V.Create(1) + ef));
        gradSecond = -common * (ei / (V.Create(1) + ei));
    }

    /// <summary>e^-first, e^-second and from them f' = (1 + e^-second) / ((1 + e^-first) + (1 + e^-second)) and i' = 1 - f'; never 0 / 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Normalise<V>(V first, V second, out V ef, out V ei, out V forget, out V input)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        var up = V.Max(V.Zero, V.Create(Lowest) - V.Max(first, second));
        VectorMath.ExpBounded(-(first + up), -(second + up), out ef, out ei);
        var whole = one / ((one + ef) + (one + ei));
        forget = (one + ei) * whole;
        input = (one + ef) * whole;
    }
}
