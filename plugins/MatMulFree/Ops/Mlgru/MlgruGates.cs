using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>The gates of some dimensions at one step.</summary>
internal readonly struct MlgruGates<V>
    where V : struct, ILanes<V>
{
    private const float SmallestNormal = 1.17549435e-38f;

    /// <param name="input">Before SiLU.</param>
    /// <param name="forget">Before the sigmoid.</param>
    /// <param name="bound">b.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public MlgruGates(V input, V forget, V bound)
    {
        // Each of σ(x) and 1 - σ(x) from e^-x: a difference from 1 would lose the small one's digits. e^-x is bounded, so nothing overflows.
        var one = V.Create(1);
        VectorMath.ExpBounded(-forget, -input, out var ofForget, out var ofInput);
        Sigmoid = one / (one + ofForget);
        OneLess = ofForget * Sigmoid;
        Range = one - bound;
        Keep = V.MultiplyAdd(Range, Sigmoid, bound);
        Let = Range * OneLess;
        InputSigmoid = one / (one + ofInput);
        Candidate = input * InputSigmoid;
    }

    /// <summary>σ(forget), and 1 less it.</summary>
    public V Sigmoid { get; }

    public V OneLess { get; }

    /// <summary>1 - b.</summary>
    public V Range { get; }

    /// <summary>f.</summary>
    public V Keep { get; }

    /// <summary>1 - f.</summary>
    public V Let { get; }

    public V InputSigmoid { get; }

    /// <summary>silu(input).</summary>
    public V Candidate { get; }

    /// <summary>f h + (1 - f) silu(input); zero in place of numbers below the normal range, which are slow to reckon with; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Next(V state) => Flush(V.MultiplyAdd(Keep, state, Let * Candidate));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Flush(V a) => V.WhereGreater(V.Create(SmallestNormal), V.Abs(a), V.Zero, a);

    /// <summary>From the gradient of the state to those of what made it.</summary>
    /// <param name="gradient">g.</param>
    /// <param name="before">h_{t-1}.</param>
    /// <param name="gradInput">g (1 - f) (σ + silu (1 - σ)), σ of the input.</param>
    /// <param name="gradForget">∂f (1 - b) σ (1 - σ), with ∂f = g (h_{t-1} - silu).</param>
    /// <param name="gradBound">∂f (1 - σ).</param>
    /// <param name="carried">g f, for h_{t-1}.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Back(V gradient, V before, out V gradInput, out V gradForget, out V gradBound, out V carried)
    {
        var slope = V.MultiplyAdd(Candidate, V.Create(1) - InputSigmoid, InputSigmoid);
        gradInput = gradient * Let * slope;
        gradBound = gradient * (before - Candidate) * OneLess;
        gradForget = gradBound * Range * Sigmoid;
        carried = Flush(gradient * Keep);
    }
}
