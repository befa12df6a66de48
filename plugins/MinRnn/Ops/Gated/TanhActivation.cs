using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The QRNN's: tanh(x).</summary>
internal readonly struct TanhActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<V>(V x)
        where V : struct, ILanes<V> => VectorMath.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WithSlope<V>(V x, out V value, out V slope)
        where V : struct, ILanes<V>
    {
        value = VectorMath.Tanh(x);
        slope = V.MultiplyAdd(-value, value, V.Create(1));
    }
}
