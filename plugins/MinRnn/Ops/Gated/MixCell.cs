using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>s_t = f_t ⊙ x_t + (1 - f_t) ⊙ s_{t-1}, with f and x as they are: `forget_mult`.</summary>
internal readonly struct MixCell : IGatedCell
{
    public static bool HasSecondGate => false;

    public static bool HasOutputGate => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V> => Gates.Flush(V.MultiplyAdd(V.Create(1) - first, before, first * x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V>
    {
        carried = Gates.Flush(g * (V.Create(1) - first));
        gradX = g * first;
        gradFirst = g * (x - before);
        gradSecond = V.Zero;
    }
}
