using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// The nonlinearity of a candidate value. The one exponential it needs is reckoned outside, together with that of a gate: two chains of
/// dependent operations at once take little longer than one.
/// </summary>
internal interface IActivation
{
    /// <summary>What to take the exponential of.</summary>
    static abstract V Exponent<V>(V x)
        where V : struct, ILanes<V>;

    /// <summary>The value.</summary>
    /// <param name="x">The candidate.</param>
    /// <param name="e">The exponential of <see cref="Exponent"/>, bounded.</param>
    static abstract V Value<V>(V x, V e)
        where V : struct, ILanes<V>;

    /// <summary>The value and its derivative.</summary>
    static abstract void WithSlope<V>(V x, V e, out V value, out V slope)
        where V : struct, ILanes<V>;
}
