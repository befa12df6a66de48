using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// s_t = (1 - z_t) ⊙ s_{t-1} + z_t ⊙ φ(x_t), z = σ(gate): minGRU with φ = g or the identity, a QRNN's f-pooling with φ = tanh, where
/// z is called f.
/// </summary>
/// <typeparam name="TActivation">φ.</typeparam>
internal readonly struct OneGateCell<TActivation> : IGatedCell
    where TActivation : IActivation
{
    public static bool HasSecondGate => false;

    public static bool HasOutputGate => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V>
    {
        VectorMath.ExpBounded(-first, TActivation.Exponent(x), out var gateE, out var valueE);
        Gates.Open(gateE, out var z, out var keep);
        return Gates.Flush(V.MultiplyAdd(keep, before, z * TActivation.Value(x, valueE)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V>
    {
        VectorMath.ExpBounded(-first, TActivation.Exponent(x), out var gateE, out var valueE);
        Gates.Open(gateE, out var z, out var keep);
        TActivation.WithSlope(x, valueE, out var value, out var slope);
        carried = Gates.Flush(g * keep);
        var gz = g * z;
        gradX = gz * slope;
        gradFirst = gz * keep * (value - before);
        gradSecond = V.Zero;
    }
}
