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
    /// so the quotients stay the same, and no power underflows that counts.
    /// </summary>
    private const float Lowest = -40;

    public static bool HasSecondGate => true;

    public static bool HasOutputGate => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V>
    {
        Normalise(first, second, out var forget, out var input, out _, out _);
        return Gates.Flush(V.MultiplyAdd(forget, before, input * TActivation.Value(x)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V>
    {
        Normalise(first, second, out var forget, out var input, out var forgetClosed, out var inputClosed);
        TActivation.WithSlope(x, out var value, out var slope);
        carried = Gates.Flush(g * forget);
        var gi = g * input;
        gradX = gi * slope;
        var common = gi * forget * (before - value);           // of log(f / i)
        gradFirst = common * forgetClosed;
        gradSecond = -common * inputClosed;
    }

    /// <summary>f', i', 1 - f and 1 - i by two exponentials and two divisions; never 0 / 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Normalise<V>(V kf, V ki, out V forget, out V input, out V forgetClosed, out V inputClosed)
        where V : struct, ILanes<V>
    {
        var one = V.Create(1);
        var up = V.Max(V.Zero, V.Create(Lowest) - V.Max(kf, ki));
        kf += up;
        ki += up;
        var ef = VectorMath.Exp(-V.Abs(kf));
        var ei = VectorMath.Exp(-V.Abs(ki));
        var (sumF, sumI) = (one + ef, one + ei);
        var f = V.WhereGreater(V.Zero, kf, ef, one) * sumI;    // f and i over their common denominator (1 + ef)(1 + ei)
        var i = V.WhereGreater(V.Zero, ki, ei, one) * sumF;
        var whole = one / (f + i);
        forget = f * whole;
        input = i * whole;
        var shared = one / (sumF * sumI);
        forgetClosed = V.WhereGreater(V.Zero, kf, one, ef) * sumI * shared;
        inputClosed = V.WhereGreater(V.Zero, ki, one, ei) * sumF * shared;
    }
}
