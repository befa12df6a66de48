using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The value as it is: the paper's plain form (Feng et al. 2024, section 3).</summary>
internal readonly struct IdentityActivation : IActivation
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exponent<V>(V x)
        where V : struct, ILanes<V> => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Value<V>(V x, V e)
        where V : struct, ILanes<V> => x;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void WithSlope<V>(V x, V e, out V value, out V slope)
        where V : struct, ILanes<V> => (value, slope) = (x, V.Create(1));
}
