using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>A QRNN's fo-pooling: the state of <see cref="OneGateCell{TActivation}"/> with tanh, times the sigmoid of an output gate.</summary>
internal readonly struct OutputGateCell : IGatedCell
{
    public static bool HasSecondGate => false;

    public static bool HasOutputGate => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V> => OneGateCell<TanhActivation>.Next(x, first, second, before);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V> =>
        OneGateCell<TanhActivation>.Back(x, first, second, before, g, out carried, out gradX, out gradFirst, out gradSecond);
}
