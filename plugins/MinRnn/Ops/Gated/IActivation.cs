using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>The nonlinearity of a candidate value.</summary>
internal interface IActivation
{
    /// <summary>The value.</summary>
    static abstract V Value<V>(V x)
        where V : struct, ILanes<V>;

    /// <summary>The value and its derivative.</summary>
    static abstract void WithSlope<V>(V x, out V value, out V slope)
        where V : struct, ILanes<V>;
}
