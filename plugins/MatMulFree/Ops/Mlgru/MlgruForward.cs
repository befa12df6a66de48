using System.Runtime.CompilerServices;
using Zoo.Kernels.Cpu;

namespace Zoo.MatMulFree.Ops.Mlgru;

/// <summary>The forward of some dimensions of one sequence.</summary>
internal unsafe struct MlgruForward : ISimdKernel
{
    public int Length, Count;
    public long Stride;                    // from one time step to the next
    public float* Input, Forget;
    public float* Bound, Initial;          // null: zero
    public float* States, Last;

    /// <summary>Of the whole tensors' work, that of some dimensions of one sequence.</summary>
    public readonly MlgruForward Piece(long batch, int first, int count)
    {
        var start = batch * Length * Stride + first;
        var state = batch * Stride + first;
        return this with
        {
            Count = count,
            Input = Input + start,
            Forget = Forget + start,
            Bound = Pointers.At(Bound, first),
            Initial = Pointers.At(Initial, state),
            States = States + start,
            Last = Last + state,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run<V>()
        where V : struct, ILanes<V>
    {
        var count = Count;
        var padded = count + V.Count;
        float* bound = stackalloc float[padded], before = Last, input = Input, forget = Forget, states = States;
        new Span<float>(bound, padded).Clear();
        if (Bound != null)
            new Span<float>(Bound, count).CopyTo(new Span<float>(bound, count));
        if (Initial == null)
            new Span<float>(before, count).Clear();
        else
            new Span<float>(Initial, count).CopyTo(new Span<float>(before, count));
        var whole = count - count % V.Count;
        for (var t = 0; t < Length; t++)
        {
            for (var i = 0; i < whole; i += V.Count)
                new MlgruGates<V>(V.Load(input + i), V.Load(forget + i), V.Load(bound + i)).Next(V.Load(before + i)).Store(states + i);
            if (whole < count)
            {
                var rest = count - whole;
                var gates = new MlgruGates<V>(V.LoadPartial(input + whole, rest), V.LoadPartial(forget + whole, rest), V.Load(bound + whole));
                gates.Next(V.LoadPartial(before + whole, rest)).StorePartial(states + whole, rest);
            }
            before = states;               // the row just written is still in the first cache
            input += Stride;
            forget += Stride;
            states += Stride;
        }
        if (Length > 0)
            new Span<float>(before, count).CopyTo(new Span<float>(Last, count));
    }
}
