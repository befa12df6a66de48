using Zoo.Kernels.Cpu;

namespace Zoo.MinRnn.Ops;

/// <summary>
/// One step of a recurrence s_t = a_t ⊙ s_{t-1} + b_t whose a and b come from inputs of that step alone; what <see cref="GatedForward{TCell}"/>
/// and <see cref="GatedBackward{TCell}"/> run over time. Stateless: the scan calls it for a vector of elements at a time.
/// </summary>
internal interface IGatedCell
{
    /// <summary>Whether <c>second</c> of the two gates is there; elsewhere it comes as zero.</summary>
    static abstract bool HasSecondGate { get; }

    /// <summary>Whether the op's output is the state times the sigmoid of a third gate; elsewhere it is the state.</summary>
    static abstract bool HasOutputGate { get; }

    /// <summary>The next state.</summary>
    /// <param name="x">The candidate value, before its nonlinearity.</param>
    /// <param name="first">The gate.</param>
    /// <param name="second">The other gate.</param>
    /// <param name="before">The state before.</param>
    static abstract V Next<V>(V x, V first, V second, V before)
        where V : struct, ILanes<V>;

    /// <summary>Gradients of a step.</summary>
    /// <param name="x">As in <see cref="Next"/>.</param>
    /// <param name="first">As in <see cref="Next"/>.</param>
    /// <param name="second">As in <see cref="Next"/>.</param>
    /// <param name="before">As in <see cref="Next"/>.</param>
    /// <param name="g">The gradient of the next state.</param>
    /// <param name="carried">That of the state before.</param>
    /// <param name="gradX">That of <paramref name="x"/>.</param>
    /// <param name="gradFirst">That of <paramref name="first"/>.</param>
    /// <param name="gradSecond">That of <paramref name="second"/>.</param>
    static abstract void Back<V>(V x, V first, V second, V before, V g, out V carried, out V gradX, out V gradFirst, out V gradSecond)
        where V : struct, ILanes<V>;
}
