using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The QRNN's: tanh(x), from e^(-2|x|) where |x| is not small.</summary>
internal readonly struct TanhActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exponent<V>(V x)
        where V : struct, ILanes<V>
    {
        var magnitude = V.Abs(x);
        return -(magnitude + magnitude);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<V>(V x, V e)
        where V : struct, ILanes<V> => VectorMath.Tanh(x, e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WithSlope<V>(V x, V e, out V value, out V slope)
        where V : struct, ILanes<V>
    {
        value = VectorMath.Tanh(x, e);
        slope = V.MultiplyAdd(-value, value, V.Create(1));
    }
}
