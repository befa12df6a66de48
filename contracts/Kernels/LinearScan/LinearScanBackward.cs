using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The backward of some dimensions of one sequence, from the last step to the first. Gradients that are not wanted are null.</summary>
internal unsafe struct LinearScanBackward : ISimdKernel
{
    /// <summary>Numbers below it are slow to reckon with.</summary>
    public const float SmallestNormal = 1.17549435e-38f;

    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* A, States;
    public float* Initial;                 // null: zero
    public float* GradStates, GradLast;    // null: zero
    public float* GradA, GradB, GradInitial;

    /// <summary>Zero in place of numbers below the normal range, which are slow to reckon with; NaN stays.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Flush<V>(V a)
        where V : struct, ILanes<V> => V.WhereGreater(V.Create(SmallestNormal), V.Abs(a), V.Zero, a);

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly LinearScanBackward Piece(long batch, int first, int count)
    {
        var start = batch * Length * Stride + first;
        var state = batch * Stride + first;
        return this with
        {
            Count = count,
            A = A + start,
            Initial = At(Initial, state),
            States = States + start,
            GradStates = At(GradStates, start),
            GradLast = At(GradLast, state),
            GradA = At(GradA, start),
            GradB = At(GradB, start),
            GradInitial = At(GradInitial, state),
        };

        static float* At(float* array, long offset) => array == null ? null : array + offset;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var carried = stackalloc float[Count + V.Count];   // a_{t+1} ⊙ the gradient of h_{t+1}, whole vectors
        new Span<float>(carried, Count + V.Count).Clear();
        if (GradLast != null)
            new Span<float>(GradLast, Count).CopyTo(new Span<float>(carried, Count));
        var whole = Count - Count % V.Count;
        for (var t = Length - 1; t >= 0; t--)
        {
            var row = t * Stride;
            var before = t > 0 ? States + row - Stride : Initial;
            if (whole < Count)
                Rest<V>(row, before, carried, whole);
            if (GradStates != null && GradA != null && GradB != null && before != null)
                Row<V>(A + row, before, GradStates + row, carried, GradA + row, GradB + row, whole);
            else
                RowOfSome<V>(row, before, carried, whole);
        }
        if (GradInitial != null)
            new Span<float>(carried, Count).CopyTo(new Span<float>(GradInitial, Count));
    }

    /// <summary>With everything given and wanted.</summary>
    /// <remarks>
    /// From the last dimension to the first, so that memory is walked steadily downwards: rows that are read upwards, one below the other, take
    /// 1.6 times as long, since the machine foresees less of them.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<V>(float* a, float* before, float* gradStates, float* carried, float* gradA, float* gradB, int count)
        where V : struct, ILanes<V>
    {
        for (var i = count - V.Count; i >= 0; i -= V.Count)
        {
            var g = V.Load(gradStates + i) + V.Load(carried + i);
            Flush(g * V.Load(a + i)).Store(carried + i);
            (g * V.Load(before + i)).Store(gradA + i);
            g.Store(gradB + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void RowOfSome<V>(long row, float* before, float* carried, int count)
        where V : struct, ILanes<V>
    {
        for (var i = count - V.Count; i >= 0; i -= V.Count)
        {
            var g = V.Load(carried + i);
            if (GradStates != null)
                g += V.Load(GradStates + row + i);
            Flush(g * V.Load(A + row + i)).Store(carried + i);
            if (GradA != null)
                (before == null ? V.Zero : g * V.Load(before + i)).Store(GradA + row + i);
            if (GradB != null)
                g.Store(GradB + row + i);
        }
    }

    /// <summary>The dimensions from <paramref name="first"/> on, fewer than a vector holds.</summary>
    private readonly void Rest<V>(long row, float* before, float* carried, int first)
        where V : struct, ILanes<V>
    {
        var count = Count - first;
        var g = V.Load(carried + first);
        if (GradStates != null)
            g += V.LoadPartial(GradStates + row + first, count);
        Flush(g * V.LoadPartial(A + row + first, count)).Store(carried + first);
        if (GradA != null)
            (before == null ? V.Zero : g * V.LoadPartial(before + first, count)).StorePartial(GradA + row + first, count);
        if (GradB != null)
            g.StorePartial(GradB + row + first, count);
    }
}
