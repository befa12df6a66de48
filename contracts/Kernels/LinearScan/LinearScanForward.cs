using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.Kernels;

/// <summary>The forward of some dimensions of one sequence.</summary>
internal unsafe struct LinearScanForward : ISimdKernel
{
    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* A, B;
    public float* Initial;                 // null: zero
    public float* States, Last;

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly LinearScanForward Piece(long batch, int first, int count)
    {
        var start = batch * Length * Stride + first;
        var state = batch * Stride + first;
        return this with
        {
            Count = count,
            A = A + start,
            B = B + start,
            Initial = Initial == null ? null : Initial + state,
            States = States + start,
            Last = Last + state,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        float* a = A, b = B, states = States;
        var count = Count;
        var before = Last;                 // the state before this step: the row just written is still in the first cache
        if (Initial == null)
            new Span<float>(before, count).Clear();
        else
            new Span<float>(Initial, count).CopyTo(new Span<float>(before, count));
        var whole = count - count % V.Count;
        for (var t = 0; t < Length; t++)
        {
            for (var i = 0; i < whole; i += V.Count)
                Step(V.Load(a + i), V.Load(before + i), V.Load(b + i)).Store(states + i);
            if (whole < count)
            {
                var rest = count - whole;
                Step(V.LoadPartial(a + whole, rest), V.LoadPartial(before + whole, rest), V.LoadPartial(b + whole, rest)).StorePartial(states + whole, rest);
            }
            before = states;
            a += Stride;
            b += Stride;
            states += Stride;
        }
        if (Length > 0)
            new Span<float>(before, count).CopyTo(new Span<float>(Last, count));

        static V Step(V a, V h, V b) => LinearScanBackward.Flush(V.MultiplyAdd(a, h, b));
    }
}
